// title = "Units whose strongest inputs lie above and below, or left and right of each other"
// sentences = [
//   "parts in their places",
//   "parts in places",
//   "parts in their places in {models}",
//   "which units have parts in their places?",
//   "units whose parts are in their places",
// ]
// needs = [["share"], ["places"]]
// words = ["part", "place", "unit", "model", "input", "circuit"]
// table = ["target", "parts_1", "parts_2", "value", "null_mean", "q"]
// example = "parts in their places"
// motif = "parts-in-places"
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
// target = "the whole"
// parts_1 = "parts above it, or on its left"
// parts_2 = "parts below it, or on its right"
// score = "the same share without their number"
// value = "how much more the parts' places vary along one axis than along the other, times the root of their number"
// null_mean = "the same by chance"
// p = "how often chance gives as much in the layer, by the worse of both nulls"
// q = "share of such findings in the model that chance explains, by the worse of both nulls"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'parts-in-places', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (t:Feature)-[:MEMBER_OF {role: 'whole'}]->(c)
RETURN c.model AS model, c.id AS circuit, t.id AS target,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'part', side: 1}]->(c) RETURN f.id AS id ORDER BY id } AS parts_1,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'part', side: 2}]->(c) RETURN f.id AS id ORDER BY id } AS parts_2,
  c.score AS score, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q, c.trial AS trial
ORDER BY q, value DESC, circuit
