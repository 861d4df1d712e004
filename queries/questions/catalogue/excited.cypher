// title = "The features that a feature excites most"
// sentences = [
//   "what does {feature} excite?",
//   "which features does {feature} excite?",
//   "which units are excited by {feature}?",
//   "what is activated by {feature}?",
//   "outputs that {feature} excites",
//   "the {top} features that {feature} excites most",
// ]
// needs = [["excite"]]
// words = ["output", "first", "strong"]
// example = "what does inceptionv1/conv2d2:185 excite?"
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [parameters.top]
// type = "integer"
// default = 20
// cues = ["strong", "first", "excite", "output", "feature"]
// help = "how many outputs at most"
// [columns]
// target = "the feature that it excites"
// labels = "what people call it"
// positive = "mass that excites: the order of the rows"
// negative = "mass that inhibits, at most 0"
// sum = "net sign: not the meaning of a spatial kernel"
// rank = "place of this feature among the inputs of that one by l1, from 1"
// positive_dy = "rows below the centre of the exciting mass"
// positive_dx = "columns right of the centre of the exciting mass"
// connection = "key of the kernel; parallel weights differ in it"
MATCH (s:Feature {id: $feature})-[w:WEIGHT]->(t:Feature)
WHERE w.positive > 0
WITH t, w ORDER BY w.positive DESC, w.rank, w.connection, t.id LIMIT $top
RETURN t.id AS target,
  COLLECT { MATCH (t)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  w.positive AS positive, w.negative AS negative, w.sum AS sum, w.rank AS rank,
  w.positive_dy AS positive_dy, w.positive_dx AS positive_dx, w.connection AS connection
ORDER BY positive DESC, rank, connection, target
