// title = "Published facts that contradict each other, and evidence that refutes"
// sentences = [
//   "conflicts",
//   "which published figures contradict each other?",
//   "where do the articles disagree?",
//   "show conflicting evidence",
//   "which kernels are disputed?",
//   "what is refuted?",
//   "which labels are contested in {models}?",
// ]
// needs = [["conflict"]]
// words = ["circuit", "feature", "unit", "evidence", "model"]
// example = "which published figures contradict each other?"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [columns]
// kind = "what kind"
MATCH (e:Evidence)-[:REFUTES]->(t) WHERE size($models) = 0
RETURN e.kind AS kind
