// title = "Layers whose kernels differ from row to row more than from column to column"
// sentences = [
//   "weight banding",
//   "banded layers",
//   "weight banding in {models}",
//   "which layers have weight banding?",
//   "layers with banded weights",
// ]
// needs = [["banding", "banded"]]
// words = ["weight", "layer", "model", "kernel"]
// table = ["layer", "units", "value", "null_mean", "q"]
// example = "weight banding"
// motif = "weight-banding"
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
// layer = "the layer"
// units = "its most banded units"
// score = "contrast of the variance over rows with that over columns, mean of the layer's units"
// value = "the layer's mean contrast of rows and columns, in standard errors over its units"
// null_mean = "the same by chance"
// p = "how often chance gives as much in the layer, by the worse of both nulls"
// q = "share of such findings in the model that chance explains, by the worse of both nulls"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'weight-banding', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
RETURN c.model AS model, c.id AS circuit, head(COLLECT { MATCH (f:Feature)-[:MEMBER_OF]->(c) RETURN DISTINCT f.layer AS layer }) AS layer,
  COLLECT { MATCH (f:Feature)-[m:MEMBER_OF {role: 'banded'}]->(c) RETURN f.id AS id ORDER BY id } AS units,
  c.score AS score, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q, c.trial AS trial
ORDER BY q, value DESC, circuit
