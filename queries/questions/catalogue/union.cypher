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
// WITH coalesce(c.pair, c.id) AS pair, collect(c) AS circuits
// WITH circuits, head(circuits) AS one
// MATCH (one)<-[m:MEMBER_OF]-(f:Feature) WHERE m.side IS NOT NULL
// WITH circuits, collect(f) AS cases
// WITH circuits, cases, any(f IN cases WHERE f.answers IS NULL) AS unmeasured
// WITH circuits, unmeasured, $cases = '' OR
//   $cases = 'oriented' AND all(f IN cases WHERE f.orientation IS NOT NULL) OR unmeasured AND EXISTS {
//     UNWIND cases AS f
//     MATCH (f)<-[about:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
//     WHERE about.role IS NULL AND toLower(l.text) CONTAINS
//       CASE $cases WHEN 'oriented' THEN 'orient' ELSE head(split($cases, ' ')) END } AS fit
// UNWIND circuits AS c
// WITH c, unmeasured, fit OR coalesce(c.asymmetry = $cases, false) AS fit,
//   $shape IN ['any', coalesce(c.shape, '')] OR c.shape IS NULL AND c.pair IS NULL AS shaped,
//   $trial IN ['', coalesce(c.trial, 'untried')] AS tried
// WITH CASE false WHEN shaped THEN coalesce(c.shape, 'alike') WHEN tried THEN coalesce(c.trial, 'untried')
//   WHEN fit THEN CASE unmeasured WHEN true THEN 'unmeasured' ELSE $cases END END AS reason
// WHERE reason IS NOT NULL
// WITH reason, count(*) AS circuits
// RETURN CASE reason
//   WHEN 'two peaks' THEN 'whose target has two peaks'
//   WHEN 'flat' THEN 'whose target answers alike at the cases and between (flat)'
//   WHEN 'between' THEN 'whose target answers between the cases at least as well as to either'
//   WHEN 'other' THEN 'whose target has another tuning'
//   WHEN 'alike' THEN 'whose cases answer alike to all angles, so that no shape could be told'
//   WHEN 'held' THEN 'whose trial held'
//   WHEN 'failed' THEN 'whose trial failed'
//   WHEN 'undecided' THEN 'whose trial was left undecided'
//   WHEN 'untried' THEN 'that were not tried'
//   WHEN 'unmeasured' THEN 'whose cases were not measured, and are not labelled so'
//   WHEN 'oriented' THEN 'whose cases are not both measured as oriented'
//   ELSE 'whose cases do not differ by ' + $cases END AS why, circuits
// ORDER BY circuits DESC, why
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
// # To be quick where nothing is warm, the text is short of what the engine is slow to parse (keys
// # of an ORDER BY, nested subqueries, conditions within a pattern), cases are looked at once for
// # each pair, and the orders are of lists. A subquery costs a tenth of a millisecond for each row.
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
  WITH coalesce(c.pair, c.id) AS pair, collect(c) AS circuits
  WITH circuits, head(circuits) AS one
  MATCH (one)<-[m:MEMBER_OF]-(f:Feature) WHERE m.side IS NOT NULL
  WITH circuits, collect(f) AS cases
  WITH circuits, cases, $cases = 'oriented' AND all(f IN cases WHERE f.orientation IS NOT NULL)
    OR any(f IN cases WHERE f.answers IS NULL) AND EXISTS {
      UNWIND cases AS f
      MATCH (f)<-[about:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
      WHERE about.role IS NULL AND toLower(l.text) CONTAINS
        CASE $cases WHEN 'oriented' THEN 'orient' ELSE head(split($cases, ' ')) END } AS fits
  WHERE $orientation < 0 OR any(f IN cases WHERE f.orientation IS NOT NULL
    AND 90 - abs(90 - abs(f.orientation - $orientation)) <= $tolerance)
  UNWIND circuits AS c
  WITH c, fits WHERE fits OR $cases IN ['', c.asymmetry]
  MATCH (c)<-[m:MEMBER_OF]-(f:Feature)
  WITH c, head(collect(CASE m.role WHEN 'union' THEN f END)) AS u,
    head(collect(CASE m.side WHEN 1 THEN f END)) AS a,
    head(collect(CASE m.side WHEN 2 THEN f END)) AS b,
    head(collect(CASE m.side WHEN 1 THEN m.facing END)) AS facing_1,
    head(collect(CASE m.side WHEN 2 THEN m.facing END)) AS facing_2
  WITH c, u, a, b, [facing_1, facing_2] AS facing,
    CASE $label + $one_label + $other_label WHEN '' THEN [] ELSE COLLECT {
      MATCH (c)<-[m:MEMBER_OF]-(:Feature)<-[about:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})
        -[:USES]->(l:Label)
      WHERE about.role IS NULL RETURN [m.side, toLower(l.text)] AS word } END AS said
  WHERE ($label = '' OR any(word IN said WHERE word[1] CONTAINS toLower($label)))
    AND any(side IN [1, 2] WHERE ($one_label = '' OR any(word IN said
        WHERE word[0] = side AND word[1] CONTAINS toLower($one_label)))
      AND ($other_label = '' OR any(word IN said
        WHERE word[0] = 3 - side AND word[1] CONTAINS toLower($other_label))))
  MATCH (c)<-[:SUPPORTS]-(e:Evidence)
  WHERE coalesce(e.of = $of, e.detail CONTAINS '"of":"' + $of + '"')
  WITH c, u, a, b, e, facing,
    [-c.score, coalesce(size(c.pair) * 0.0 + e.q, 0.0), c.id, e.q, e.id] AS place
  ORDER BY place
  WITH coalesce(c.pair, u.id) AS pair, c.shape AS shape, collect(DISTINCT u) AS targets,
    collect(DISTINCT a) AS ones, collect(DISTINCT b) AS twos, collect(DISTINCT c) AS circuits,
    count(DISTINCT CASE c.trial WHEN 'held' THEN c.id END) AS held,
    count(DISTINCT c.trial + c.id) AS tried, count(DISTINCT coalesce(c.pair, c.id)) AS pairs,
    max(c.score) AS score, head(collect(e)) AS e, head(collect(facing)) AS facing
  WITH head(targets) AS u, [v IN targets | v.id] AS targets, shape, ones, twos, circuits, held,
    tried, pairs, score, e, facing
  RETURN u, targets, shape, ones, twos, circuits, held, tried, pairs, score, e, facing,
    'found' AS origin,
    CASE e.kind WHEN 'mirrored-inputs' THEN 'kernels' ELSE 'responses' END AS by,
    COLLECT {
      MATCH (u)-[:MEMBER_OF]->(p:Circuit {origin: 'published'})<-[:MEMBER_OF]-(x:Feature)
      WHERE x IN ones
      MATCH (p)<-[:MEMBER_OF]-(y:Feature) WHERE y IN twos
      RETURN DISTINCT p ORDER BY p.id } AS published
  UNION ALL
  MATCH (p:Circuit {origin: 'published'})<-[:MEMBER_OF]-(f:Feature)-[:IN_LAYER]->(y:Layer)
  WHERE p.motif IN $published_motifs AND (size($models) = 0 OR p.model IN $models)
    AND $trial IN ['', 'untried']
  WITH p, collect(f) AS members, max(y.position) AS last
  WITH p, members, last, COLLECT {
    UNWIND members AS f
    MATCH (f)<-[about:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    WHERE about.role IS NULL RETURN toLower(l.text) AS word } AS said
  WHERE all(part IN [$label, $one_label, $other_label,
        CASE $cases WHEN 'oriented' THEN 'orient' ELSE head(split($cases, ' ')) END]
      WHERE part = '' OR any(word IN said WHERE word CONTAINS toLower(part)))
    AND ($orientation < 0 OR any(f IN members WHERE f.orientation IS NOT NULL
      AND 90 - abs(90 - abs(f.orientation - $orientation)) <= $tolerance))
  MATCH (p)<-[:MEMBER_OF]-(u:Feature)-[:IN_LAYER]->(y:Layer)
  WHERE y.position = last AND NOT EXISTS {
    MATCH (u)-[both:MEMBER_OF]->(c:Circuit {origin: 'found'})<-[:SUPPORTS]-(e:Evidence)
    WHERE both.role = 'union' AND coalesce(e.of = $of, e.detail CONTAINS '"of":"' + $of + '"')
      AND NOT EXISTS { MATCH (c)<-[:MEMBER_OF]-(x:Feature) WHERE NOT x IN members } }
  RETURN u, [u.id] AS targets, null AS shape, [] AS ones, [] AS twos, [] AS circuits, null AS held,
    null AS tried, null AS pairs, p.score AS score, null AS e, [] AS facing,
    'published' AS origin, null AS by, [p] AS published
}
WITH u, targets, shape, ones, twos, circuits, held, tried, pairs, score, e, facing, origin, by,
  published, head(circuits) AS c,
  CASE by WHEN 'kernels' THEN COLLECT {
    UNWIND ones AS f
    MATCH (f)-[w:WEIGHT]->(u) WHERE w.positive_dx IS NOT NULL
    RETURN w.positive_dx AS dx ORDER BY dx } ELSE [] END AS dxs_1,
  CASE by WHEN 'kernels' THEN COLLECT {
    UNWIND twos AS f
    MATCH (f)-[w:WEIGHT]->(u) WHERE w.positive_dx IS NOT NULL
    RETURN w.positive_dx AS dx ORDER BY dx } ELSE [] END AS dxs_2
RETURN u.model AS model, u.id AS target,
  COLLECT {
    MATCH (u)<-[about:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    WHERE about.role IS NULL RETURN DISTINCT l.text AS text ORDER BY text } AS target_labels,
  targets, size(targets) AS unions, held, tried, shape,
  [f IN ones | f.id] AS side_1,
  COLLECT {
    UNWIND ones AS f
    MATCH (f)<-[about:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    WHERE about.role IS NULL RETURN DISTINCT l.text AS text ORDER BY text } AS labels_1,
  facing[0] AS facing_1,
  CASE size(dxs_1) WHEN 0 THEN null
    ELSE reduce(total = 0.0, dx IN dxs_1 | total + dx) / size(dxs_1) END AS dx_1,
  [f IN twos | f.id] AS side_2,
  COLLECT {
    UNWIND twos AS f
    MATCH (f)<-[about:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    WHERE about.role IS NULL RETURN DISTINCT l.text AS text ORDER BY text } AS labels_2,
  facing[1] AS facing_2,
  CASE size(dxs_2) WHEN 0 THEN null
    ELSE reduce(total = 0.0, dx IN dxs_2 | total + dx) / size(dxs_2) END AS dx_2,
  c.asymmetry AS asymmetry,
  [f IN ones[0..1] + twos[0..1] WHERE f.orientation IS NOT NULL | f.orientation] AS orientations,
  c.pair_targets AS pair_targets, c.pair_null AS pair_null, c.pair_p AS pair_p, c.pair_q AS pair_q,
  by, pairs, score, e.value AS hits, e.null_mean AS null_mean, e.p AS p, e.q AS q,
  COLLECT {
    UNWIND circuits AS each
    UNWIND [(each)-[r:ANALOGOUS_TO]-(d:Circuit) WHERE r.q <= 0.05 | d] AS other
    MATCH (other)<-[both:MEMBER_OF]-(v:Feature) WHERE both.role = 'union'
    RETURN DISTINCT v.id AS id ORDER BY id } AS analogous,
  origin,
  [p IN published WHERE p.motif IN $published_motifs | p.id] AS published_as,
  [p IN published WHERE NOT p.motif IN $published_motifs | p.id + ' (' + p.motif + ')'] AS also_in
ORDER BY [origin, coalesce(pair_q, 2.0), -unions, coalesce(q, 1.0), -coalesce(score, 0.0), model, target] + published_as
