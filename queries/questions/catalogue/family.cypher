// title = "Families of units that are turns of one another"
// sentences = [
//   "rotational families",
//   "families of units that are turns of one another",
//   "rotational families of {models}",
//   "which units of a layer are turns of one another?",
//   "list the rotational families in {models}",
// ]
// needs = [["rotational", "turns"]]
// words = ["family", "families", "unit", "another", "layer", "model", "feature"]
// table = ["layer", "members", "units", "score", "null_mean", "q"]
// example = "rotational families"
// motif = "family"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.of]
// type = "text"
// default = "rotate 45"
// help = "what turns one unit into another, as the search was told"
// [columns]
// model = "the model"
// layer = "the layer of all members"
// circuit = "the circuit; its evidence says the group's order and whether mirror images are there too"
// members = "the units, in order of their turns"
// turns = "how far each is turned from the first, in degrees"
// units = "how many they are"
// score = "lowest, over the turns, of the correlation with the best unit for it"
// null_mean = "the same among units of the layer with shuffled weights that fulfil the criteria; 0 if none do"
// p = "share of the layer's units with shuffled weights that do as well"
// q = "p, corrected for all units of the layer"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'family', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (f:Feature)-[m:MEMBER_OF]->(c)
WITH c, e, f, toInteger(replace(m.role, 'turned by ', '')) AS turn ORDER BY c.id, turn, f.id
WITH c, e, collect(f.id) AS members, collect(turn) AS turns, head(collect(f.layer)) AS layer
RETURN c.model AS model, layer, c.id AS circuit, members, turns, size(members) AS units,
  c.score AS score, e.null_mean AS null_mean, e.p AS p, e.q AS q, c.trial AS trial
ORDER BY q, score DESC, circuit
