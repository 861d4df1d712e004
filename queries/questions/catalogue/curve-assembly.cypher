// title = "Units for curves whose weights add up the curve tunings of their inputs"
// sentences = [
//   "curve assembly",
//   "curve assemblies",
//   "curve assembly in {models}",
//   "which units assemble curves from their inputs?",
//   "curve assembly from tuned inputs",
// ]
// needs = [["assembly", "assemblies", "assemble"]]
// words = ["curve", "unit", "input", "model", "circuit", "tuning", "tuned"]
// table = ["target", "exciting", "inhibiting", "value", "null_mean", "q"]
// example = "curve assembly"
// motif = "curve-assembly"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.of]
// type = "text"
// default = "rotate 45"
// help = "what relates the parts, as the search was told"
// [columns]
// model = "the model"
// circuit = "the circuit"
// target = "the unit for curves"
// exciting = "excitatory inputs that add most to its tuning"
// inhibiting = "inhibitory ones"
// score = "cosine between the unit's tuning and the sum's"
// value = "power of the summed tuning, over what the same weights give with inputs permuted on average"
// null_mean = "the same with inputs permuted"
// p = "how often chance gives as much in the layer, by the worse of both nulls"
// q = "share of such findings in the model that chance explains, by the worse of both nulls"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'curve-assembly', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (t:Feature)-[:MEMBER_OF {role: 'curve'}]->(c)
RETURN c.model AS model, c.id AS circuit, t.id AS target,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'exciting'}]->(c) RETURN f.id AS id ORDER BY id } AS exciting,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'inhibiting'}]->(c) RETURN f.id AS id ORDER BY id } AS inhibiting,
  c.score AS score, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q, c.trial AS trial
ORDER BY q, value DESC, circuit
