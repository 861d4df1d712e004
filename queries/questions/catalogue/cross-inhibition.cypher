// title = "Units that one unit excites and the mirror image of that one inhibits"
// sentences = [
//   "cross-inhibition",
//   "cross-inhibition between mirrored pathways",
//   "cross-inhibition in {models}",
//   "circuits of cross-inhibition",
//   "which units have cross-inhibition?",
// ]
// needs = [["cross"]]
// words = ["inhibit", "inhibition", "mirror", "pathway", "circuit", "unit", "model"]
// table = ["target", "exciting", "inhibiting", "q", "pair_targets", "pair_null", "pair_q"]
// example = "cross-inhibition"
// motif = "cross-inhibition"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.of]
// type = "text"
// default = "mirror left-right"
// help = "what turns the one input into the other, as the search was told"
// [columns]
// model = "the model"
// circuit = "the circuit"
// target = "the unit that both feed"
// exciting = "the input that excites it"
// inhibiting = "its mirror image, which inhibits the same unit"
// score = "correlation of the one input's answers to mirrored stimuli with the other's"
// hits = "such pairs at the unit"
// null_mean = "the same with the unit's weights permuted"
// p = "how often permuted weights give as many"
// q = "share of such findings in the model that chance explains"
// pair_targets = "units at which the pair fulfils every criterion"
// pair_null = "the same with inputs permuted for all units alike"
// pair_q = "how often that gives as many, corrected: where it is large the pair is not beyond chance"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'cross-inhibition', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (t:Feature)-[:MEMBER_OF {role: 'target'}]->(c)
MATCH (a:Feature)-[:MEMBER_OF {role: 'exciting'}]->(c)
MATCH (b:Feature)-[:MEMBER_OF {role: 'inhibiting'}]->(c)
RETURN c.model AS model, c.id AS circuit, t.id AS target, a.id AS exciting, b.id AS inhibiting,
  c.score AS score, e.value AS hits, e.null_mean AS null_mean, e.p AS p, e.q AS q,
  c.pair_targets AS pair_targets, c.pair_null AS pair_null, c.pair_q AS pair_q, c.trial AS trial
ORDER BY pair_q, q, circuit
