// title = "Labels that features of several models have"
// sentences = [
//   "labels shared by models",
//   "which labels do several models share?",
//   "which concepts occur in several models?",
//   "labels that {models} have in common",
//   "which labels are common to several networks?",
// ]
// needs = [["labelled", "family"], ["share", "common", "several"], ["model", "{models}"]]
// words = ["role", "both", "feature"]
// example = "which labels do several models share?"
// requires = ["two-models", "labels"]
// [parameters.models]
// type = "models"
// default = []
// help = "models that must all have it; none for any two"
// [columns]
// label = "the label; labels that a vocabulary declares to be one concept count as one"
// models = "models with a feature that is called so"
// features = "how many features, of all those models"
MATCH (l:Label)<-[:USES]-(:Annotation {kind: 'label', state: 'live'})-[about:ANNOTATES]->(f:Feature)
WHERE about.role IS NULL
WITH coalesce(l.concept, l.text) AS label, f.model AS model, count(DISTINCT f) AS features
ORDER BY model
WITH label, collect(model) AS models, sum(features) AS features
WHERE size(models) > 1 AND all(model IN $models WHERE model IN models)
RETURN label, models, features
ORDER BY size(models) DESC, features DESC, label
