// title = "Clean features that are spread over many units which answer to others too"
// sentences = [
//   "superposition",
//   "superposition in {models}",
//   "clean features spread over many units",
//   "which features are in superposition?",
//   "which clean features are spread over many units?",
// ]
// needs = [["superposition", "spread"]]
// words = ["clean", "feature", "unit", "many", "model", "circuit", "over"]
// table = ["feature", "spread_over", "value", "null_mean", "q"]
// example = "superposition"
// motif = "superposition"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.of]
// type = "text"
// default = "identity"
// help = "what relates the parts, as the search was told"
// [columns]
// model = "the model"
// circuit = "the circuit"
// feature = "the clean feature"
// spread_over = "units that it is spread over: those that it feeds most"
// score = "as value"
// value = "share of the layer's units that the feature is spread over"
// null_mean = "the same by chance, by the worse of both nulls"
// p = "how often chance gives as much in the layer, by the worse of both nulls"
// q = "share of such findings in the model that chance explains, by the worse of both nulls"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'superposition', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (t:Feature)-[:MEMBER_OF {role: 'feature'}]->(c)
RETURN c.model AS model, c.id AS circuit, t.id AS feature,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'spread over'}]->(c) RETURN f.id AS id ORDER BY id } AS spread_over,
  c.score AS score, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q, c.trial AS trial
ORDER BY q, value DESC, circuit
