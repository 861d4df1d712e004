// title = "Units whose weights add up inputs for high beside low frequency and for edges"
// sentences = [
//   "boundary detectors",
//   "high-low frequency to boundary",
//   "boundaries in {models}",
//   "boundary units that high-low frequency inputs feed",
//   "which units detect a boundary?",
// ]
// needs = [["boundary", "boundaries"]]
// words = ["high-low", "high", "low", "frequency", "detector", "detect", "unit", "input", "feed", "model"]
// table = ["target", "high_low", "edges", "value", "null_mean", "q"]
// example = "boundary detectors"
// motif = "boundary"
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
// target = "the unit"
// high_low = "inputs that add most to its tuning to borders of high and low frequency"
// edges = "inputs that add most to its tuning to edges"
// score = "the less of both cues' modulations of the unit, over its spread"
// value = "power of the summed tuning over what the same weights give with inputs permuted, of the cue where it is less"
// null_mean = "the same by chance"
// p = "how often chance gives as much in the layer, by the worse of both nulls"
// q = "share of such findings in the model that chance explains, by the worse of both nulls"
// trial = "how its trial ended; empty: this motif has no trial yet"
MATCH (c:Circuit {motif: 'boundary', origin: 'found'})<-[:SUPPORTS]-(e:Evidence {of: $of})
WHERE size($models) = 0 OR c.model IN $models
MATCH (t:Feature)-[:MEMBER_OF {role: 'boundary'}]->(c)
RETURN c.model AS model, c.id AS circuit, t.id AS target,
  COLLECT { MATCH (f:Feature)-[m:MEMBER_OF {role: 'high-low frequency'}]->(c) RETURN f.id AS id ORDER BY id } AS high_low,
  COLLECT { MATCH (f:Feature)-[m:MEMBER_OF {role: 'edge'}]->(c) RETURN f.id AS id ORDER BY id } AS edges,
  c.score AS score, e.value AS value, e.null_mean AS null_mean, e.p AS p, e.q AS q, c.trial AS trial
ORDER BY q, value DESC, circuit
