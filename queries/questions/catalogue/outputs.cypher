// title = "Where a feature goes, strongest first, with labels"
// sentences = [
//   "outputs of {feature}",
//   "what are the strongest outputs of {feature}?",
//   "show the top {top} outputs of {feature} with their labels",
//   "which features does {feature} feed into?",
//   "what does {feature} feed?",
//   "what is built from {feature}?",
//   "which features use {feature}?",
//   "which features have {feature} as an input?",
//   "which features get input from {feature}?",
//   "where does {feature} go?",
// ]
// needs = [["output", "feed", "into", "built", "use", "go", "as_input"]]
// words = ["weight", "first", "strong", "as_input", "made"]
// example = "what does inceptionv1/mixed4a:308 feed?"
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [parameters.top]
// type = "integer"
// default = 20
// cues = ["strong", "first", "output"]
// help = "how many outputs at most"
// [columns]
// target = "the feature it goes to"
// labels = "what people call it"
// rank = "place among the target's inputs by l1, from 1"
// l1 = "sum of |kernel|"
// sum = "net sign: not the meaning of a spatial kernel"
// positive = "mass that excites"
// negative = "mass that inhibits"
// path = "direct, residual, pooled or gated"
// connection = "key of the kernel; parallel edges differ in it"
// origin = "figure that a published kernel was read from"
MATCH (s:Feature {id: $feature})-[w:WEIGHT]->(t:Feature)
WITH t, w ORDER BY w.l1 DESC, t.id, w.connection LIMIT $top
RETURN t.id AS target,
  COLLECT { MATCH (t)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  w.rank AS rank, w.l1 AS l1, w.sum AS sum, w.positive AS positive, w.negative AS negative,
  w.path AS path, w.connection AS connection, w.origin AS origin
ORDER BY l1 DESC, target, connection
