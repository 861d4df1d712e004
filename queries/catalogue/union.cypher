// title = "Circuits that unite mirrored cases, across models"
// sentences = [
//   "find all circuits unioning left/right orientation detectors across models",
//   "union",
//   "which units unite left-facing and right-facing detectors?",
//   "show circuits that merge mirrored features into one invariant unit",
//   "unions of left and right {label} detectors",
//   "which units get left and right versions combined?",
//   "find pose-invariant units built from two mirrored cases in {models}",
//   "where do mirror images feed into one feature?",
//   "unions of mirrored inputs",
// ]
// needs = [["union", "invariant", "mirror"], ["union", "invariant", "into", "built"]]
// words = ["orientation", "facing", "image", "pathway", "pair", "pairs", "same", "published"]
// example = "find all circuits unioning left/right orientation detectors across models"
// motif = "union"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.label]
// type = "label"
// default = ""
// help = "part of a label that the unit or a case of it must have; empty for any"
// [parameters.of]
// type = "text"
// default = "mirror left-right"
// help = "what turns one case into the other, as the search was told"
// [parameters.published_motifs]
// type = "texts"
// default = ["union-over-cases", "mirror-pathways+union"]
// help = "what published circuits of this kind are called"
// [columns]
// model = "the model"
// target = "the unit that unites the cases"
// target_labels = "what people call it"
// side_1 = "units of the one case, whose positive weight lies further left"
// labels_1 = "what people call them"
// dx_1 = "columns right of the kernel's centre of their positive mass, on average (left: below 0)"
// side_2 = "units of the mirrored case"
// labels_2 = "what people call them"
// dx_2 = "the same for them"
// pairs = "pairs of one unit of each side that passed"
// score = "correlation of one kernel's mirror image with the other, for the best pair"
// hits = "matching pairs among the strongest inputs of the unit"
// null_mean = "matching pairs that chance gives"
// p = "how often chance gives as many"
// q = "p corrected for false discovery over all that was tested in the model"
// origin = "found by search here, or published and not found (then the sides are not known)"
// published_as = "published circuits of this kind that hold this unit and cases of both sides"
// also_in = "published circuits of another kind that do, with it: kernels cannot tell which it is"
CALL () {
  MATCH (c:Circuit {motif: 'union', origin: 'found'})
  WHERE (size($models) = 0 OR c.model IN $models)
    AND ($label = '' OR EXISTS {
      MATCH (c)<-[:MEMBER_OF]-(:Feature)<-[:ANNOTATES]-(:Annotation {kind: 'label'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS toLower($label) })
  MATCH (a:Feature)-[one:MEMBER_OF]->(c) WHERE one.side = 1
  MATCH (b:Feature)-[two:MEMBER_OF]->(c) WHERE two.side = 2
  MATCH (u:Feature)-[both:MEMBER_OF]->(c) WHERE both.role = 'union'
  MATCH (e:Evidence)-[:SUPPORTS]->(c) WHERE e.detail CONTAINS '"of":"' + $of + '"'
  WITH c, a, b, u, e ORDER BY c.score DESC, c.id, e.q
  WITH u, collect(DISTINCT a) AS ones, collect(DISTINCT b) AS twos,
    count(DISTINCT c) AS pairs, max(c.score) AS score,
    head(collect(e)) AS e
  RETURN u, ones, twos, pairs, score, e, 'found' AS origin,
    COLLECT { MATCH (u)-[:MEMBER_OF]->(p:Circuit {origin: 'published'})
      WHERE p.motif IN $published_motifs
        AND EXISTS { MATCH (p)<-[:MEMBER_OF]-(x:Feature) WHERE x IN ones }
        AND EXISTS { MATCH (p)<-[:MEMBER_OF]-(y:Feature) WHERE y IN twos }
      RETURN p.id AS id ORDER BY id } AS published_as,
    COLLECT { MATCH (u)-[:MEMBER_OF]->(p:Circuit {origin: 'published'})
      WHERE NOT p.motif IN $published_motifs
        AND EXISTS { MATCH (p)<-[:MEMBER_OF]-(x:Feature) WHERE x IN ones }
        AND EXISTS { MATCH (p)<-[:MEMBER_OF]-(y:Feature) WHERE y IN twos }
      RETURN p.id + ' (' + p.motif + ')' AS id ORDER BY id } AS also_in
  UNION ALL
  MATCH (p:Circuit {origin: 'published'})<-[:MEMBER_OF]-(u:Feature)-[:IN_LAYER]->(y:Layer)
  WHERE p.motif IN $published_motifs AND (size($models) = 0 OR p.model IN $models)
    AND ($label = '' OR EXISTS {
      MATCH (p)<-[:MEMBER_OF]-(:Feature)<-[:ANNOTATES]-(:Annotation {kind: 'label'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS toLower($label) })
    AND NOT EXISTS { MATCH (p)<-[:MEMBER_OF]-(:Feature)-[:IN_LAYER]->(z:Layer)
      WHERE z.position > y.position }
    AND NOT EXISTS {
      MATCH (u)-[m:MEMBER_OF]->(c:Circuit {origin: 'found'}) WHERE m.role = 'union'
      MATCH (e:Evidence)-[:SUPPORTS]->(c) WHERE e.detail CONTAINS '"of":"' + $of + '"'
        AND NOT EXISTS { MATCH (x:Feature)-[:MEMBER_OF]->(c)
          WHERE NOT EXISTS { MATCH (x)-[:MEMBER_OF]->(p) } } }
  RETURN u, [] AS ones, [] AS twos, null AS pairs, p.score AS score, null AS e,
    'published' AS origin, [p.id] AS published_as, [] AS also_in
}
WITH u, ones, twos, pairs, score, e, origin, published_as, also_in,
  COLLECT { UNWIND ones AS f MATCH (f)-[w:WEIGHT]->(u)
    WHERE w.positive_dx IS NOT NULL RETURN w.positive_dx AS dx } AS dxs_1,
  COLLECT { UNWIND twos AS f MATCH (f)-[w:WEIGHT]->(u)
    WHERE w.positive_dx IS NOT NULL RETURN w.positive_dx AS dx } AS dxs_2
RETURN u.model AS model, u.id AS target,
  COLLECT { MATCH (u)<-[:ANNOTATES]-(:Annotation {kind: 'label'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS target_labels,
  COLLECT { UNWIND ones AS f RETURN f.id AS id ORDER BY id } AS side_1,
  COLLECT { UNWIND ones AS f
    MATCH (f)<-[:ANNOTATES]-(:Annotation {kind: 'label'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels_1,
  CASE WHEN size(dxs_1) > 0
    THEN reduce(total = 0.0, dx IN dxs_1 | total + dx) / size(dxs_1) END AS dx_1,
  COLLECT { UNWIND twos AS f RETURN f.id AS id ORDER BY id } AS side_2,
  COLLECT { UNWIND twos AS f
    MATCH (f)<-[:ANNOTATES]-(:Annotation {kind: 'label'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels_2,
  CASE WHEN size(dxs_2) > 0
    THEN reduce(total = 0.0, dx IN dxs_2 | total + dx) / size(dxs_2) END AS dx_2,
  pairs, score, e.value AS hits, e.null_mean AS null_mean, e.p AS p, e.q AS q, origin,
  published_as, also_in
ORDER BY origin, coalesce(q, 1), coalesce(score, 0) DESC, model, target, published_as
