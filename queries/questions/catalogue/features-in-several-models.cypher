// title = "Features that several models have, every two of them analogous"
// sentences = [
//   "features found in {at_least} models",
//   "which features are in at least {at_least} models?",
//   "features that are in several models",
//   "which features recur across models?",
//   "universal features",
//   "universal features of {models}",
// ]
// needs = [["feature"], ["model", "recur", "universal"], ["several", "recur", "universal", "{integer}"]]
// words = ["several", "role"]
// example = "which features recur across models?"
// requires = ["two-models", "matches"]
// [parameters.at_least]
// type = "integer"
// default = 3
// cues = ["model"]
// help = "how many models, its own counted"
// [parameters.models]
// type = "models"
// default = []
// help = "models whose features are listed; none for all"
// # Evidence of the kind several-features says how many of these chance gives.
// [columns]
// feature = "id of the feature"
// model = "its model"
// layer = "its layer"
// others = "its counterparts: each is in a set of so many models with it, of which every two are analogous"
// models = "models in the largest such set"
// score = "its lowest correlation with one of them"
MATCH (f:Feature)-[r:ANALOGOUS_TO]-(g:Feature)
WHERE r.q <= 0.05 AND r.networks >= $at_least AND g.model <> f.model
  AND (size($models) = 0 OR f.model IN $models)
WITH f, g.id AS other, max(r.networks) AS networks, min(r.score) AS own ORDER BY other
WITH f, collect(other) AS others, max(networks) AS models, min(own) AS score
RETURN f.id AS feature, f.model AS model, f.layer AS layer, others, models, score
ORDER BY models DESC, model, score DESC, feature
