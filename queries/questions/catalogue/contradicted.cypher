// title = "What the measured orientation says of each label that a vocabulary ties to it"
// sentences = [
//   "which labels do measurements contradict?",
//   "labels contradicted by measurements",
//   "which labels does the evidence confirm?",
//   "what do measurements say of the label {label}?",
//   "labels against measurements in {models}",
// ]
// needs = [["labelled"], ["evidence", "measured"]]
// words = ["conflict", "confirm", "feature", "orientation"]
// example = "which labels do measurements contradict?"
// requires = ["labels", "vocabulary", "observations"]
// [parameters.label]
// type = "label"
// default = ""
// help = "part of the label, in any case; empty for all"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.layers]
// type = "layers"
// default = []
// help = "layers to look in; none for all"
// [columns]
// feature = "id of the feature"
// label = "the label"
// said_by = "ids of who gives it"
// expected = "what the vocabulary expects: oriented, not oriented, or degrees"
// measured = "what was measured: oriented, not oriented, or degrees"
// verdict = "contradicts, not confirmed, agrees, or not measured"
// value = "the measured statistic"
// null_mean = "its mean under the null"
// p = "share of the null at or above it"
// q = "p corrected over all that was tested"
MATCH (l:Label)<-[:USES]-(a:Annotation {kind: 'label', state: 'live'})-[r:ANNOTATES]->(f:Feature)
WHERE r.role IS NULL AND l.measure IN ['oriented', 'orientation']
  AND toLower(l.text) CONTAINS toLower($label)
  AND (size($models) = 0 OR f.model IN $models) AND (size($layers) = 0 OR f.layer IN $layers)
MATCH (a)-[:BY]->(who:Annotator)
WITH f, l, who.id AS name ORDER BY name
WITH f, l, collect(DISTINCT name) AS said_by
OPTIONAL MATCH (f)<-[:ABOUT]-(e:Evidence {kind: 'orientation-tuning'})
WITH f, l, said_by, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q,
  e.stance AS stance,
  CASE WHEN l.measure = 'orientation' THEN abs(f.orientation - toFloat(l.expected))
    ELSE null END AS apart
WITH f, l, said_by, value, null_mean, p, q, stance,
  CASE WHEN apart > 90.0 THEN abs(180.0 - apart) ELSE apart END AS off
WITH f, l, said_by, value, null_mean, p, q, stance,
  CASE WHEN stance IS NULL THEN 'not measured'
    WHEN l.measure = 'oriented' AND l.expected = 'no' AND stance = 'supports' THEN 'contradicts'
    WHEN l.measure = 'oriented' AND l.expected = 'no' THEN 'agrees'
    WHEN stance <> 'supports' THEN 'not confirmed'
    WHEN l.measure = 'oriented' THEN 'agrees'
    WHEN off <= coalesce(l.tolerance, 15.0) THEN 'agrees'
    WHEN off IS NULL THEN 'not measured'
    ELSE 'contradicts' END AS verdict
RETURN f.id AS feature, l.text AS label, said_by,
  CASE WHEN l.measure = 'orientation'
    THEN l.expected + '° ± ' + toString(coalesce(l.tolerance, 15.0)) + '°'
    WHEN l.expected = 'no' THEN 'not oriented' ELSE 'oriented' END AS expected,
  CASE WHEN stance IS NULL THEN null WHEN stance <> 'supports' THEN 'not oriented'
    WHEN f.orientation IS NULL THEN 'oriented'
    ELSE toString(round(f.orientation * 10.0) / 10.0) + '°' END AS measured,
  verdict, value, null_mean, p, q
ORDER BY CASE verdict WHEN 'contradicts' THEN 0 WHEN 'not confirmed' THEN 1
  WHEN 'agrees' THEN 2 ELSE 3 END, feature, label, l.id
