// title = "The features of other models that answer as a feature does"
// sentences = [
//   "analogous features of {feature}",
//   "features like {feature} in other models",
//   "what corresponds to {feature} in the other networks?",
//   "which features are analogous to {feature}?",
//   "counterparts of {feature}",
//   "does {feature} have a counterpart in another model?",
// ]
// needs = [["analogous", "counterpart", "corresponds", "like"]]
// words = ["model", "answer", "strong", "feature"]
// example = "counterparts of inceptionv1/mixed4b:418"
// requires = ["two-models", "observations", "matches"]
// [parameters.feature]
// type = "feature"
// help = "the feature, as model/layer:unit"
// # q of a match that a later run did not confirm is 1.
// [columns]
// analogue = "the feature of another model"
// model = "its model"
// labels = "what people call it"
// score = "similarity of the answers"
// rank = "place among the candidates, from 1"
// null_mean = "mean score under the null"
// q = "share of such scores that the null explains"
// method = "how it was measured"
MATCH (f:Feature {id: $feature})-[r:ANALOGOUS_TO]-(g:Feature)
WHERE r.q <= 0.05
RETURN g.id AS analogue, g.model AS model,
  COLLECT { MATCH (g)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels,
  r.score AS score, r.rank AS rank, r.null_mean AS null_mean, r.q AS q, r.method AS method
ORDER BY score DESC, analogue, method
