// title = "Units that one unit excites and the one for the inverted contrast inhibits"
// sentences = [
//   "opponency",
//   "opponency of contrast and colour",
//   "opponency in {models}",
//   "which units have opponency?",
//   "opponency of bright and dark",
// ]
// needs = [["opponency"]]
// words = ["contrast", "colour", "circuit", "unit", "model", "inverted", "bright", "dark"]
// table = ["target", "exciting", "inhibiting", "q", "pair_targets", "pair_null", "pair_q"]
// example = "opponency of contrast and colour"
// motif = "opponency"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.of]
// type = "text"
// default = "invert contrast"
// help = "what turns the one input into the other, as the search was told"
// [columns]
// model = "the model"
// circuit = "the circuit"
// target = "the unit that both feed"
// exciting = "the input that excites it"
// inhibiting = "the one for the inverted contrast or the opposite colour, which inhibits the same unit"
// score = "correlation of the one input's answers to stimuli of inverted contrast with the other's"
// hits = "such pairs at the unit"
// null_mean = "the same with the unit's weights permuted"
// p = "how often permuted weights give as many"
// q = "share of such findings in the model that chance explains"
// pair_targets = "units at which the pair fulfils every criterion"
// pair_null = "the same with inputs permuted for all units alike"
// pair_q = "how often that gives as many, corrected: where it is large the pair is not beyond chance"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'opponency', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (t:Feature)-[:MEMBER_OF {role: 'opponent'}]->(c)
MATCH (a:Feature)-[:MEMBER_OF {role: 'exciting'}]->(c)
MATCH (b:Feature)-[:MEMBER_OF {role: 'inhibiting'}]->(c)
RETURN c.model AS model, c.id AS circuit, t.id AS target, a.id AS exciting, b.id AS inhibiting,
  c.score AS score, e.value AS hits, e.null_mean AS null_mean, e.p AS p, e.q AS q,
  c.pair_targets AS pair_targets, c.pair_null AS pair_null, c.pair_q AS pair_q, c.trial AS trial
ORDER BY pair_q, q, circuit
