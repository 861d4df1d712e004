// title = "Units whose residual stream gives a feature and whose block adds a larger copy"
// sentences = [
//   "scale unions",
//   "scale unions along residual streams",
//   "scale unions in {models}",
//   "which units unite a feature with a larger copy of it?",
//   "unions of a feature and a larger copy",
// ]
// needs = [["scale", "larger"]]
// words = ["union", "residual", "stream", "copy", "unit", "size", "model", "feature", "unite"]
// table = ["target", "smaller", "larger", "value", "null_mean", "q"]
// example = "scale unions along residual streams"
// motif = "scale-union"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.of]
// type = "text"
// default = "scale 2"
// help = "what relates the parts, as the search was told"
// [columns]
// model = "the model"
// circuit = "the circuit"
// target = "the unit"
// smaller = "the strongest input along the stream"
// larger = "the strongest input that the block adds"
// score = "as value"
// value = "correlation of what the stream gives with what the block adds at twice the size"
// null_mean = "the same with what the block adds to other units of the layer"
// p = "how often chance gives as much in the layer, by the worse of both nulls"
// q = "share of such findings in the model that chance explains, by the worse of both nulls"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'scale-union', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (t:Feature)-[:MEMBER_OF {role: 'union'}]->(c)
RETURN c.model AS model, c.id AS circuit, t.id AS target,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'smaller'}]->(c) RETURN f.id AS id ORDER BY id } AS smaller,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'larger'}]->(c) RETURN f.id AS id ORDER BY id } AS larger,
  c.score AS score, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q, c.trial AS trial
ORDER BY q, value DESC, circuit
