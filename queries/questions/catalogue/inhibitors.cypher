// title = "The inputs that inhibit a feature most"
// sentences = [
//   "what inhibits {feature}?",
//   "strongest inhibitors of {feature}",
//   "inhibitory inputs of {feature}",
//   "which inputs suppress {feature}?",
//   "which features inhibit {feature}?",
//   "by which inputs is {feature} inhibited?",
//   "the {top} strongest inhibitors of {feature}",
// ]
// needs = [["inhibit"]]
// words = ["input", "first", "strong"]
// example = "strongest inhibitors of inceptionv1/mixed3b:379"
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [parameters.top]
// type = "integer"
// default = 20
// cues = ["strong", "first", "inhibit", "input"]
// help = "how many inputs at most"
// [columns]
// source = "the input"
// labels = "what people call it"
// negative = "mass that inhibits, at most 0: the order of the rows"
// positive = "mass that excites"
// sum = "net sign: not the meaning of a spatial kernel"
// rank = "place among all inputs by l1, from 1"
// negative_dy = "rows below the centre of the inhibiting mass"
// negative_dx = "columns right of the centre of the inhibiting mass"
// connection = "key of the kernel; parallel weights differ in it"
MATCH (t:Feature {id: $feature})<-[w:WEIGHT]-(s:Feature)
WHERE w.negative < 0
WITH s, w ORDER BY w.negative, w.rank, w.connection, s.id LIMIT $top
RETURN s.id AS source,
  COLLECT { MATCH (s)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  w.negative AS negative, w.positive AS positive, w.sum AS sum, w.rank AS rank,
  w.negative_dy AS negative_dy, w.negative_dx AS negative_dx, w.connection AS connection
ORDER BY negative, rank, connection, source
