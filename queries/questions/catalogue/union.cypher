// title = "Circuits that unite mirrored cases, across models"
// sentences = [
//   "find all circuits unioning left/right orientation detectors across models",
//   "union",
//   "which units unite left-facing and right-facing detectors?",
//   "show circuits that merge mirrored features into one invariant unit",
//   "unions of left and right {label} detectors",
//   "unions of detectors at {orientation}",
//   "which units unite mirrored cases that prefer lines at {orientation}?",
//   "which units get left and right versions combined?",
//   "find pose-invariant units built from two mirrored cases in {models}",
//   "where do mirror images feed into one feature?",
//   "unions of mirrored inputs",
//   "pose-invariant {label} circuits",
//   "unions of {cases} detectors",
//   "unions of left and right {cases} detectors across models",
//   "units that unite left and right {cases} detectors",
//   "pairs of mirrored {cases} detectors that one unit unites",
//   "which units are {shape} between mirrored inputs?",
//   "units with {shape} mirrored cases",
//   "all mirrored inputs in {models}",
//   "unions that {trial}",
//   "which units that unite mirrored cases {trial}?",
// ]
// needs = [["union", "invariant", "mirror"], ["union", "invariant", "into", "built", "{shape}"]]
// words = ["orientation", "facing", "image", "pathway", "pair", "same", "published", "tuned", "prefer"]
// table = ["side_1", "side_2", "unions", "held", "facing_1", "facing_2", "pair_q", "shape", "target"]
// example = "find all circuits unioning left/right orientation detectors across models"
// motif = "union"
// left_out = '''
// MATCH (c:Circuit {origin: 'found'})
// WHERE c.motif IN ['union', 'mirrored-inputs'] AND coalesce($of IN c.of, true)
//   AND (size($models) = 0 OR c.model IN $models)
// MATCH (a:Feature)-[one:MEMBER_OF]->(c) WHERE one.side = 1
// MATCH (b:Feature)-[two:MEMBER_OF]->(c) WHERE two.side = 2
// WITH CASE
//   WHEN $shape <> 'any' AND coalesce(c.shape, CASE WHEN c.pair IS NULL THEN $shape END, '') <> $shape
//     THEN CASE coalesce(c.shape, '')
//     WHEN 'two peaks' THEN 'whose target has two peaks'
//     WHEN 'flat' THEN 'whose target answers alike at the cases and between (flat)'
//     WHEN 'between' THEN 'whose target answers between the cases at least as well as to either'
//     WHEN 'other' THEN 'whose target has another tuning'
//     ELSE 'whose cases answer alike to all angles, so that no shape could be told' END
//   WHEN $trial <> '' AND coalesce(c.trial, 'untried') <> $trial THEN CASE coalesce(c.trial, '')
//     WHEN 'held' THEN 'whose trial held'
//     WHEN 'failed' THEN 'whose trial failed'
//     WHEN 'undecided' THEN 'whose trial was left undecided'
//     ELSE 'that were not tried' END
//   WHEN $cases = '' OR c.asymmetry = $cases
//     OR ($cases = 'oriented' AND a.orientation IS NOT NULL AND b.orientation IS NOT NULL) THEN ''
//   WHEN a.answers IS NULL THEN CASE WHEN EXISTS {
//       MATCH (a)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
//         -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS
//           CASE $cases WHEN 'oriented' THEN 'orient' ELSE head(split($cases, ' ')) END }
//     OR EXISTS {
//       MATCH (b)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
//         -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS
//           CASE $cases WHEN 'oriented' THEN 'orient' ELSE head(split($cases, ' ')) END } THEN ''
//     ELSE 'whose cases were not measured, and are not labelled so' END
//   WHEN $cases = 'oriented' THEN 'whose cases are not both measured as oriented'
//   ELSE 'whose cases do not differ by ' + $cases END AS why
// WHERE why <> ''
// RETURN why, count(*) AS circuits ORDER BY circuits DESC, why
// '''
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.label]
// type = "label"
// default = ""
// help = "part of a label that the unit or a case of it must have; empty for any"
// [parameters.one_label]
// type = "label"
// default = ""
// help = "part of a label that a unit of the one case must have, as in left; empty for any"
// [parameters.other_label]
// type = "label"
// default = ""
// help = "part of a label that a unit of the mirrored case must have, as in right; empty for any"
// [parameters.orientation]
// type = "angle"
// default = -1
// help = "degrees of the lines that a case was measured to prefer; -1 for any, measured or not"
// [parameters.tolerance]
// type = "integer"
// default = 15
// help = "degrees that it may be off"
// [parameters.cases]
// type = "choice"
// default = ""
// help = "what both cases must be: oriented, as measured; or what they must differ by: tilt, curve side, edge side, shift; empty for any. Where nothing was measured, what people call them counts"
// choices = [
//   ["oriented", "(?<!left-)(?<!right-)orient\\w*(?:-(?:tuned|selective))?(?![- ](?:in)?varia)"],
//   ["curve side", "curves?|curved|curvatures?|arcs?"],
//   ["edge side", "edge[ -]sides?|edges?"],
//   ["tilt", "tilt(?:s|ed)?|slant(?:s|ed)?|oblique|diagonal"],
//   ["shift", "shift(?:s|ed)?|displaced"],
//   ["oriented", "lines?|bars?|gabors?|gratings?"],
// ]
// [parameters.shape]
// type = "choice"
// default = "two peaks"
// help = "tuning of the unit between its cases: two peaks, flat, between, other, or any; where it was not tested, any will do"
// choices = [
//   ["flat", "flat(?: tuning)?"],
//   ["between", "(?:with )?(?:a |one )?(?:single )?peaks? (?:in )?between"],
//   ["two peaks", "two[ -]peak(?:s|ed)?|two peaks"],
//   ["other", "(?:an)?other shapes?"],
//   ["any", "(?<=all mirrored )inputs?|(?<=with mirrored )inputs?|(?<=have mirrored )inputs?|(?:any|every) shape|all shapes"],
// ]
// [parameters.trial]
// type = "choice"
// default = ""
// help = "how their trial must have ended: held, failed, undecided or untried; empty for any"
// choices = [
//   ["held", "(?:have |has )?held(?: (?:up|their trials?|its trial|in (?:a|the) trial))?|surviv\\w+(?: (?:their trials?|its trial))?"],
//   ["failed", "(?:have |has )?failed(?: (?:their trials?|its trial|in (?:a|the) trial))?|(?:was |were )?refuted"],
//   ["untried", "(?:were |was )?(?:untried|never tried|not tried)"],
// ]
// [parameters.of]
// type = "text"
// default = "mirror left-right"
// help = "what turns one case into the other, as the search was told"
// [parameters.published_motifs]
// type = "texts"
// default = ["union-over-cases", "mirror-pathways+union"]
// help = "what published circuits of this kind are called"
// # A subquery costs a tenth of a millisecond for each row: labels of all members are one, and
// # centroids, which only kernels have sides in, are asked of those found by kernels alone.
// # A row is a pair with all its targets of one shape; where nothing is known of pairs (found by
// # kernels, or by an older version), a target with all its pairs.
// # Evidence that older versions wrote says what it is of in its detail alone.
// [columns]
// model = "the model"
// target = "the unit that unites the cases; of several the one with the smallest q"
// target_labels = "what people call it"
// targets = "all units that unite this pair and have this shape"
// unions = "how many they are"
// held = "circuits of this row whose trial held: the network was run without the cases' edges, and lost what it should"
// tried = "circuits of this row that were tried"
// shape = "tuning of these units between the cases: two peaks, flat, between or other; empty where it could not be tested"
// side_1 = "units of the one case, best pair first: their positive weight lies further left, or by responses they answer more to the first of two mirrored stimuli"
// labels_1 = "what people and measures call them"
// facing_1 = "what they answer to more than to its mirror image"
// dx_1 = "columns right of the kernel's centre of their positive mass, on average (left: below 0); by kernels alone"
// side_2 = "units of the mirrored case"
// labels_2 = "what people and measures call them"
// facing_2 = "the same for them"
// dx_2 = "the same for them"
// asymmetry = "what makes the cases differ: tilt, curve side, edge side or shift"
// orientations = "degrees of the lines that the best case of each side prefers, where that was measured"
// pair_targets = "units at which the pair fulfils every criterion, whatever their q and shape"
// pair_null = "such units with permuted inputs, the same for all units, on average"
// pair_p = "how often they give as many"
// pair_q = "pair_p, corrected for all mirrored pairs of the model"
// by = "what was searched: responses to stimuli, or kernels alone"
// pairs = "pairs of one unit of each side in this row"
// score = "correlation of one case, mirrored, with the other (of answers, or of kernels), for the best pair"
// hits = "pairs among the strongest inputs of the unit that fulfil every criterion"
// null_mean = "such pairs that chance gives"
// p = "how often chance gives as many"
// q = "share of such findings in the model that chance explains"
// analogous = "units of other models that unite analogous cases"
// origin = "found by search here, or published and not found (then the sides are not known)"
// published_as = "published circuits of this kind that hold this unit and cases of both sides"
// also_in = "published circuits of another kind that do, with it: kernels cannot tell which it is"
CALL () {
  MATCH (c:Circuit {origin: 'found'})
  WHERE c.motif IN ['union', 'mirrored-inputs'] AND coalesce($of IN c.of, true)
    AND (size($models) = 0 OR c.model IN $models)
    AND ($shape = 'any' OR c.shape = $shape OR (c.shape IS NULL AND c.pair IS NULL))
    AND ($trial = '' OR coalesce(c.trial, 'untried') = $trial)
    AND ($label = '' OR EXISTS {
      MATCH (c)<-[:MEMBER_OF]-(:Feature)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS toLower($label) })
    AND ($orientation < 0 OR EXISTS {
      MATCH (f:Feature)-[m:MEMBER_OF]->(c)
      WHERE m.side IS NOT NULL AND f.orientation IS NOT NULL
        AND 90 - abs(90 - abs(f.orientation - $orientation)) <= $tolerance })
  WITH c, CASE WHEN $one_label = '' AND $other_label = '' THEN [] ELSE COLLECT { MATCH (c)<-[m:MEMBER_OF]-(:Feature)<-[about:ANNOTATES WHERE about.role IS NULL]-
        (:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label) WHERE m.side = 1
      RETURN toLower(l.text) AS text } END
    AS said_1, CASE WHEN $one_label = '' AND $other_label = '' THEN [] ELSE COLLECT { MATCH (c)<-[m:MEMBER_OF]-(:Feature)<-[about:ANNOTATES WHERE about.role IS NULL]-
        (:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label) WHERE m.side = 2
      RETURN toLower(l.text) AS text } END
    AS said_2
  WHERE ($one_label = '' OR any(text IN said_1 WHERE text CONTAINS toLower($one_label)))
      AND ($other_label = '' OR any(text IN said_2 WHERE text CONTAINS toLower($other_label)))
    OR ($one_label = '' OR any(text IN said_2 WHERE text CONTAINS toLower($one_label)))
      AND ($other_label = '' OR any(text IN said_1 WHERE text CONTAINS toLower($other_label)))
  MATCH (a:Feature)-[one:MEMBER_OF]->(c) WHERE one.side = 1
  MATCH (b:Feature)-[two:MEMBER_OF]->(c) WHERE two.side = 2
  WITH c, a, b, one.facing AS facing_1, two.facing AS facing_2
  WHERE $cases = '' OR c.asymmetry = $cases
    OR ($cases = 'oriented' AND a.orientation IS NOT NULL AND b.orientation IS NOT NULL)
    OR (a.answers IS NULL AND (EXISTS {
      MATCH (a)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS
          CASE $cases WHEN 'oriented' THEN 'orient' ELSE head(split($cases, ' ')) END }
      OR EXISTS {
      MATCH (b)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS
          CASE $cases WHEN 'oriented' THEN 'orient' ELSE head(split($cases, ' ')) END }))
  MATCH (u:Feature)-[both:MEMBER_OF]->(c) WHERE both.role = 'union'
  MATCH (e:Evidence)-[:SUPPORTS]->(c) WHERE coalesce(e.of = $of, e.detail CONTAINS '"of":"' + $of + '"')
  WITH c, a, b, u, e, facing_1, facing_2,
    coalesce(c.pair, u.id) AS pair
  ORDER BY c.score DESC, CASE WHEN c.pair IS NULL THEN 0.0 ELSE e.q END, c.id, a.id, b.id, e.q, e.id
  WITH pair, c.shape AS shape, collect(DISTINCT u) AS targets, collect(DISTINCT a) AS ones,
    collect(DISTINCT b) AS twos, collect(DISTINCT c) AS circuits, max(c.score) AS score,
    head(collect(e)) AS e, head(collect([facing_1, facing_2])) AS facing
  WITH head(targets) AS u, [v IN targets | v.id] AS targets, shape, ones, twos, circuits, score, e,
    facing
  RETURN u, targets, shape, ones, twos, circuits, score, e, facing, 'found' AS origin,
    CASE e.kind WHEN 'mirrored-inputs' THEN 'kernels' ELSE 'responses' END AS by,
    COLLECT { MATCH (u)-[:MEMBER_OF]->(p:Circuit {origin: 'published'})
      WHERE EXISTS { MATCH (p)<-[:MEMBER_OF]-(x:Feature) WHERE x IN ones }
        AND EXISTS { MATCH (p)<-[:MEMBER_OF]-(y:Feature) WHERE y IN twos }
      RETURN DISTINCT [p.id, p.motif] AS held ORDER BY held[0] } AS published
  UNION ALL
  MATCH (p:Circuit {origin: 'published'})<-[:MEMBER_OF]-(u:Feature)-[:IN_LAYER]->(y:Layer)
  WHERE p.motif IN $published_motifs AND (size($models) = 0 OR p.model IN $models)
    AND $trial IN ['', 'untried']
    AND ($label = '' OR EXISTS {
      MATCH (p)<-[:MEMBER_OF]-(:Feature)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS toLower($label) })
    AND ($one_label = '' OR EXISTS {
      MATCH (p)<-[:MEMBER_OF]-(:Feature)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS toLower($one_label) })
    AND ($other_label = '' OR EXISTS {
      MATCH (p)<-[:MEMBER_OF]-(:Feature)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS toLower($other_label) })
    AND ($cases = '' OR EXISTS {
      MATCH (p)<-[:MEMBER_OF]-(:Feature)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})
        -[:USES]->(l:Label) WHERE toLower(l.text) CONTAINS
          CASE $cases WHEN 'oriented' THEN 'orient' ELSE head(split($cases, ' ')) END })
    AND ($orientation < 0 OR EXISTS {
      MATCH (f:Feature)-[:MEMBER_OF]->(p) WHERE f.orientation IS NOT NULL
        AND 90 - abs(90 - abs(f.orientation - $orientation)) <= $tolerance })
    AND NOT EXISTS { MATCH (p)<-[:MEMBER_OF]-(:Feature)-[:IN_LAYER]->(z:Layer)
      WHERE z.position > y.position }
    AND NOT EXISTS {
      MATCH (u)-[m:MEMBER_OF]->(c:Circuit {origin: 'found'}) WHERE m.role = 'union'
      MATCH (e:Evidence)-[:SUPPORTS]->(c) WHERE coalesce(e.of = $of, e.detail CONTAINS '"of":"' + $of + '"')
        AND NOT EXISTS { MATCH (x:Feature)-[:MEMBER_OF]->(c)
          WHERE NOT EXISTS { MATCH (x)-[:MEMBER_OF]->(p) } } }
  RETURN u, [u.id] AS targets, null AS shape, [] AS ones, [] AS twos, [] AS circuits,
    p.score AS score, null AS e, [null, null] AS facing, 'published' AS origin, null AS by, [[p.id, p.motif]] AS published
}
WITH u, targets, shape, ones, twos, circuits, score, e, facing, origin, by, published,
  COLLECT { UNWIND [u] + ones + twos AS f
    MATCH (f)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT [f.id, l.text] AS said ORDER BY said[1], said[0] } AS said,
  COLLECT { UNWIND circuits AS c MATCH (c)-[r:ANALOGOUS_TO]-(d:Circuit) WHERE r.q <= 0.05
    MATCH (v:Feature)-[both:MEMBER_OF]->(d) WHERE both.role = 'union'
    RETURN DISTINCT v.id AS id ORDER BY id } AS analogous,
  CASE by WHEN 'kernels' THEN COLLECT {
    UNWIND ones + [f IN twos WHERE NOT f IN ones] AS f MATCH (f)-[w:WEIGHT]->(u)
    WHERE w.positive_dx IS NOT NULL RETURN [f.id, w.positive_dx] AS lean
    ORDER BY lean[0], lean[1] } ELSE [] END
    AS leans
WITH u, targets, shape, ones, twos, circuits, score, e, facing, origin, by, published, said,
  analogous, head(circuits) AS c, head(ones) AS a, head(twos) AS b,
  [lean IN leans WHERE lean[0] IN [f IN ones | f.id] | lean[1]] AS dxs_1,
  [lean IN leans WHERE lean[0] IN [f IN twos | f.id] | lean[1]] AS dxs_2
RETURN u.model AS model, u.id AS target,
  [word IN said WHERE word[0] = u.id | word[1]] AS target_labels, targets,
  size(targets) AS unions, CASE WHEN size(circuits) > 0
    THEN size([each IN circuits WHERE each.trial = 'held']) END AS held,
  CASE WHEN size(circuits) > 0
    THEN size([each IN circuits WHERE each.trial IS NOT NULL]) END AS tried, shape,
  [f IN ones | f.id] AS side_1,
  reduce(texts = [], text IN [word IN said WHERE word[0] IN [f IN ones | f.id] | word[1]] |
    CASE WHEN text IN texts THEN texts ELSE texts + [text] END) AS labels_1,
  facing[0] AS facing_1, CASE WHEN size(dxs_1) > 0
    THEN reduce(total = 0.0, dx IN dxs_1 | total + dx) / size(dxs_1) END AS dx_1,
  [f IN twos | f.id] AS side_2,
  reduce(texts = [], text IN [word IN said WHERE word[0] IN [f IN twos | f.id] | word[1]] |
    CASE WHEN text IN texts THEN texts ELSE texts + [text] END) AS labels_2,
  facing[1] AS facing_2, CASE WHEN size(dxs_2) > 0
    THEN reduce(total = 0.0, dx IN dxs_2 | total + dx) / size(dxs_2) END AS dx_2,
  c.asymmetry AS asymmetry,
  [degrees IN [a.orientation, b.orientation] WHERE degrees IS NOT NULL] AS orientations,
  c.pair_targets AS pair_targets, c.pair_null AS pair_null, c.pair_p AS pair_p, c.pair_q AS pair_q,
  by, CASE WHEN size(circuits) > 0 THEN
    CASE WHEN c.pair IS NULL THEN size(circuits) ELSE 1 END END AS pairs, score, e.value AS hits,
  e.null_mean AS null_mean, e.p AS p, e.q AS q, analogous, origin,
  [held IN published WHERE held[1] IN $published_motifs | held[0]] AS published_as,
  [held IN published WHERE NOT held[1] IN $published_motifs | held[0] + ' (' + held[1] + ')']
    AS also_in
ORDER BY origin, coalesce(pair_q, 2), unions DESC, coalesce(q, 1), coalesce(score, 0) DESC, model, target, published_as
