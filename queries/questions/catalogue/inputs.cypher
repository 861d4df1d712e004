// title = "The strongest inputs of a feature, with their labels"
// sentences = [
//   "inputs of {feature}",
//   "what are the strongest inputs of {feature}?",
//   "show the top {top} inputs to {feature} with their labels",
//   "which features feed into {feature}?",
//   "what feeds {feature}?",
//   "what does {feature} take its input from?",
//   "what is {feature} made from?",
//   "which weights go into {feature}?",
// ]
// needs = [["input", "feed", "into", "made"]]
// words = ["weight", "first", "strong"]
// example = "what are the strongest inputs of inceptionv1/mixed4b:418?"
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [parameters.top]
// type = "integer"
// default = 20
// cues = ["strong", "first", "input"]
// help = "how many inputs at most"
// [columns]
// rank = "place among its inputs by l1, from 1"
// source = "the input"
// labels = "what people call it"
// l1 = "sum of |kernel|"
// sum = "net sign: not the meaning of a spatial kernel"
// positive = "mass that excites"
// negative = "mass that inhibits"
// positive_dy = "rows below the centre of the exciting mass"
// positive_dx = "columns right of the centre of the exciting mass"
// path = "direct, residual, pooled or gated"
// connection = "key of the kernel; parallel edges differ in it"
// origin = "figure that a published kernel was read from"
MATCH (s:Feature)-[w:WEIGHT]->(t:Feature {id: $feature})
WITH s, w ORDER BY w.rank, w.connection, s.id LIMIT $top
RETURN w.rank AS rank, s.id AS source,
  COLLECT { MATCH (s)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  w.l1 AS l1, w.sum AS sum, w.positive AS positive, w.negative AS negative,
  w.positive_dy AS positive_dy, w.positive_dx AS positive_dx,
  w.path AS path, w.connection AS connection, w.origin AS origin
ORDER BY rank, connection, source
