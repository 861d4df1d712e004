// title = "Pairs of units of a layer that mirror one another and whose wiring does too"
// sentences = [
//   "mirrored targets with mirrored wiring",
//   "mirrored targets",
//   "which units mirror one another with mirrored wiring?",
//   "pairs of units with mirrored wiring in {models}",
//   "which units of a layer have mirrored wiring?",
// ]
// needs = [["wiring"], ["mirror"]]
// words = ["unit", "pair", "layer", "image", "model", "feature", "another"]
// table = ["side_1", "side_2", "value", "null_mean", "q", "inputs_1", "inputs_2", "by"]
// example = "mirrored targets with mirrored wiring"
// motif = "mirrored-targets"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.of]
// type = "text"
// default = "mirror left-right"
// help = "what turns the one unit into the other, as the search was told"
// [columns]
// model = "the model"
// circuit = "the circuit"
// side_1 = "the unit that answers more to the first of two mirrored stimuli; by kernels that whose best matched kernel lies further left"
// labels_1 = "what people call it"
// side_2 = "the unit that mirrors it"
// labels_2 = "what people call it"
// inputs_1 = "inputs of the first that are named beside it"
// inputs_2 = "the mirrored inputs of the other"
// inputs_of_both = "inputs that feed both, each from its own side"
// score = "correlation of the one unit's answers to mirrored stimuli with the other's; by kernels the mean correlation of matched kernels, one of them mirrored"
// value = "correlation of the wiring of the one with that of the other, mirrored; by kernels the sum of the correlations of matched kernels"
// null_mean = "the same by chance"
// p = "how often chance gives as much, by the worse of both nulls"
// q = "share of such findings in the model that chance explains"
// stability = "share of deletions of a tenth of the stimuli in which the responses stay mirrored"
// by = "what was searched: responses to stimuli, or kernels alone"
// trial = "how its trial ended; empty: it was not tried"
MATCH (c:Circuit {motif: 'mirrored-targets', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (a:Feature)-[:MEMBER_OF {role: 'target', side: 1}]->(c)
MATCH (b:Feature)-[:MEMBER_OF {role: 'target', side: 2}]->(c)
RETURN c.model AS model, c.id AS circuit, a.id AS side_1,
  COLLECT { MATCH (a)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels_1,
  b.id AS side_2,
  COLLECT { MATCH (b)<-[about:ANNOTATES WHERE about.role IS NULL]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    RETURN DISTINCT l.text AS text ORDER BY text } AS labels_2,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'input', side: 1}]->(c) RETURN f.id AS id ORDER BY id } AS inputs_1,
  COLLECT { MATCH (f:Feature)-[:MEMBER_OF {role: 'input', side: 2}]->(c) RETURN f.id AS id ORDER BY id } AS inputs_2,
  COLLECT { MATCH (f:Feature)-[m:MEMBER_OF {role: 'input'}]->(c) WHERE m.side IS NULL RETURN f.id AS id ORDER BY id } AS inputs_of_both,
  c.score AS score, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q,
  c.stability AS stability,
  CASE e.kind WHEN 'mirrored-kernels' THEN 'kernels' ELSE 'responses' END AS by, c.trial AS trial
ORDER BY q, value DESC, circuit
