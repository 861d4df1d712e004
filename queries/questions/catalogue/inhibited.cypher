// title = "The features that a feature inhibits most"
// sentences = [
//   "what does {feature} inhibit?",
//   "which features does {feature} inhibit?",
//   "which units are inhibited by {feature}?",
//   "what is suppressed by {feature}?",
//   "outputs that {feature} inhibits",
//   "the {top} features that {feature} inhibits most",
// ]
// needs = [["inhibit"]]
// words = ["output", "first", "strong"]
// example = "what does inceptionv1/conv2d2:185 inhibit?"
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [parameters.top]
// type = "integer"
// default = 20
// cues = ["strong", "first", "inhibit", "output", "feature"]
// help = "how many outputs at most"
// [columns]
// target = "the feature that it inhibits"
// labels = "what people call it"
// negative = "mass that inhibits, at most 0: the order of the rows"
// positive = "mass that excites"
// sum = "net sign: not the meaning of a spatial kernel"
// rank = "place of this feature among the inputs of that one by l1, from 1"
// negative_dy = "rows below the centre of the inhibiting mass"
// negative_dx = "columns right of the centre of the inhibiting mass"
// connection = "key of the kernel; parallel weights differ in it"
MATCH (s:Feature {id: $feature})-[w:WEIGHT]->(t:Feature)
WHERE w.negative < 0
WITH t, w ORDER BY w.negative, w.rank, w.connection, t.id LIMIT $top
RETURN t.id AS target,
  COLLECT { MATCH (t)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  w.negative AS negative, w.positive AS positive, w.sum AS sum, w.rank AS rank,
  w.negative_dy AS negative_dy, w.negative_dx AS negative_dx, w.connection AS connection
ORDER BY negative, rank, connection, target
