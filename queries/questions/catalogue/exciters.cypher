// title = "The inputs that excite a feature most"
// sentences = [
//   "what excites {feature}?",
//   "strongest exciters of {feature}",
//   "excitatory inputs of {feature}",
//   "which inputs activate {feature}?",
//   "which features excite {feature}?",
//   "by which inputs is {feature} excited?",
//   "the {top} strongest exciters of {feature}",
// ]
// needs = [["excite"]]
// words = ["input", "first", "strong"]
// example = "strongest exciters of inceptionv1/mixed3b:379"
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [parameters.top]
// type = "integer"
// default = 20
// cues = ["strong", "first", "excite", "input"]
// help = "how many inputs at most"
// [columns]
// source = "the input"
// labels = "what people call it"
// positive = "mass that excites: the order of the rows"
// negative = "mass that inhibits, at most 0"
// sum = "net sign: not the meaning of a spatial kernel"
// rank = "place among all inputs by l1, from 1"
// positive_dy = "rows below the centre of the exciting mass"
// positive_dx = "columns right of the centre of the exciting mass"
// connection = "key of the kernel; parallel weights differ in it"
MATCH (t:Feature {id: $feature})<-[w:WEIGHT]-(s:Feature)
WHERE w.positive > 0
WITH s, w ORDER BY w.positive DESC, w.rank, w.connection, s.id LIMIT $top
RETURN s.id AS source,
  COLLECT { MATCH (s)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  w.positive AS positive, w.negative AS negative, w.sum AS sum, w.rank AS rank,
  w.positive_dy AS positive_dy, w.positive_dx AS positive_dx, w.connection AS connection
ORDER BY positive DESC, rank, connection, source
