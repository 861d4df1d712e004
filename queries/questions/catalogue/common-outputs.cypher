// title = "The features that both of two features feed"
// sentences = [
//   "common outputs of {feature} and {other}",
//   "what do {feature} and {other} both feed?",
//   "which features do both {feature} and {other} feed?",
//   "where do {feature} and {other} come together?",
//   "shared outputs of {feature} and {other}",
// ]
// needs = [["output", "feed", "come"], ["common", "both", "share", "together", "where"]]
// words = ["into"]
// example = "common outputs of inceptionv1/mixed4a:308 and inceptionv1/mixed4a:222"
// [parameters.feature]
// type = "feature"
// help = "the one feature, as model/layer:unit"
// [parameters.other]
// type = "feature"
// help = "the other"
// [columns]
// output = "the feature that both feed"
// labels = "what people call it"
// rank_1 = "best place of the one among its inputs, from 1"
// sum_1 = "net sum of the weights from the one: not the meaning of a spatial kernel"
// rank_2 = "best place of the other among its inputs"
// sum_2 = "net sum of the weights from the other"
MATCH (s:Feature {id: $feature})-[v:WEIGHT]->(t:Feature)
WITH t, min(v.rank) AS rank_1, sum(v.sum) AS sum_1
MATCH (t)<-[w:WEIGHT]-(u:Feature {id: $other})
WITH t, rank_1, sum_1, min(w.rank) AS rank_2, sum(w.sum) AS sum_2
RETURN t.id AS output,
  COLLECT { MATCH (t)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  rank_1, sum_1, rank_2, sum_2
ORDER BY rank_1 + rank_2, output
