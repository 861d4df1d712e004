// title = "The features that feed both of two features"
// sentences = [
//   "common inputs of {feature} and {other}",
//   "what feeds both {feature} and {other}?",
//   "which inputs do {feature} and {other} share?",
//   "shared inputs of {feature} and {other}",
//   "which features feed into both {feature} and {other}?",
// ]
// needs = [["input", "feed", "into"], ["common", "both", "share"]]
// example = "common inputs of inceptionv1/mixed3a:110 and inceptionv1/mixed3b:345"
// [parameters.feature]
// type = "feature"
// help = "the one feature, as model/layer:unit"
// [parameters.other]
// type = "feature"
// help = "the other"
// [columns]
// input = "the feature that feeds both"
// labels = "what people call it"
// rank_1 = "best place among the inputs of the one, from 1"
// sum_1 = "net sum of its weights to the one: not the meaning of a spatial kernel"
// rank_2 = "best place among the inputs of the other"
// sum_2 = "net sum of its weights to the other"
// same_sign = "whether both sums have one sign"
MATCH (t:Feature {id: $feature})<-[v:WEIGHT]-(s:Feature)
WITH s, min(v.rank) AS rank_1, sum(v.sum) AS sum_1
MATCH (s)-[w:WEIGHT]->(u:Feature {id: $other})
WITH s, rank_1, sum_1, min(w.rank) AS rank_2, sum(w.sum) AS sum_2
RETURN s.id AS input,
  COLLECT { MATCH (s)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  rank_1, sum_1, rank_2, sum_2, sign(sum_1) = sign(sum_2) AS same_sign
ORDER BY rank_1 + rank_2, input
