// title = "Parallel branches whose units answer to other kinds of stimuli"
// sentences = [
//   "branch specialisation",
//   "specialised branches",
//   "branch specialisation in {models}",
//   "which branches are specialised?",
//   "branches that answer to other stimuli",
// ]
// needs = [["branch", "branches"]]
// words = ["specialisation", "specialised", "specialization", "specialized", "unit", "model", "stimuli", "answer", "network", "other"]
// table = ["branches", "units", "value", "null_mean", "q"]
// example = "branch specialisation"
// motif = "branch-specialisation"
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
// branches = "the branches"
// units = "units nearest to the mean of each"
// score = "as value"
// value = "share of the variance of units' profiles that lies between branches"
// null_mean = "the same by chance"
// p = "how often chance gives as much in the layer, by the worse of both nulls"
// q = "share of such findings in the model that chance explains, by the worse of both nulls"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'branch-specialisation', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
RETURN c.model AS model, c.id AS circuit, COLLECT { MATCH (f:Feature)-[:MEMBER_OF]->(c) RETURN DISTINCT f.layer AS layer ORDER BY layer } AS branches,
  COLLECT { MATCH (f:Feature)-[m:MEMBER_OF {role: 'of a branch'}]->(c) RETURN f.id AS id ORDER BY id } AS units,
  c.score AS score, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q, c.trial AS trial
ORDER BY q, value DESC, circuit
