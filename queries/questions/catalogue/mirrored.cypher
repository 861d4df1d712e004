// title = "The mirror images of a feature in its layer"
// sentences = [
//   "mirrored partners of {feature}",
//   "what is the mirror image of {feature}?",
//   "mirror twin of {feature}",
//   "which feature mirrors {feature}?",
//   "what is {feature} the reflection of?",
//   "flipped version of {feature}",
// ]
// needs = [["mirror", "twin"]]
// words = ["image", "partner", "partners", "twin", "left", "right", "case", "counterpart", "feature"]
// example = "mirrored partners of inceptionv1/mixed4a:308"
// requires = ["searches"]
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// [columns]
// partner = "the feature that answers to mirrored stimuli as this one does to plain ones"
// labels = "what people call it"
// group = "kind of transform"
// parameter = "direction of the mirror's axis in degrees: 90 for left-right, 0 for up-down"
// score = "correlation of the answers to mirrored stimuli (or of mirrored kernels)"
// same = "correlation of the answers to the same stimuli"
// null_mean = "mean score under the null"
// p = "share of the null at or above the score"
// q = "share of such scores that the null explains; a mirrored pair as such is seldom beyond it"
// method = "name and version of the measure"
MATCH (f:Feature {id: $feature})-[r:TRANSFORMS_TO]-(g:Feature)
RETURN g.id AS partner,
  COLLECT { MATCH (g)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  r.`group` AS group, r.parameter AS parameter, r.score AS score, r.same AS same,
  r.null_mean AS null_mean, r.p AS p, r.q AS q, r.method AS method
ORDER BY coalesce(q, 1), score DESC, partner, parameter
