// title = "Published facts that contradict each other, and evidence that refutes"
// sentences = [
//   "conflicts",
//   "which published figures contradict each other?",
//   "where do the articles disagree?",
//   "show conflicting evidence",
//   "which kernels are disputed?",
//   "what is refuted in {models}?",
//   "which published labels and circuits are contested?",
// ]
// needs = [["conflict"]]
// words = ["feature", "model", "weight"]
// example = "which published figures contradict each other?"
// requires = ["evidence"]
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [columns]
// kind = "what was compared, or flagged-kernel for a published kernel with a known defect"
// sources = "features whose weights it is about"
// targets = "features that these weights go to"
// value = "the measured value"
// method = "what the value is"
// refutes = "statements that it speaks against; none where two figures differ, as both stand"
// detail = "further figures, as JSON, or the defect"
// evidence = "id of the evidence"
CALL () {
  MATCH (e:Evidence {stance: 'refutes'})
  WHERE size($models) = 0
    OR EXISTS { MATCH (e)-[:ABOUT]->(f:Feature) WHERE f.model IN $models }
    OR EXISTS { MATCH (e)-[:ABOUT|REFUTES]->(c:Circuit) WHERE c.model IN $models }
  RETURN e.kind AS kind,
    COLLECT { MATCH (e)-[r:ABOUT]->(f:Feature) WHERE r.role = 'source'
      RETURN DISTINCT f.id AS id ORDER BY id } AS sources,
    COLLECT { MATCH (e)-[r:ABOUT]->(f:Feature) WHERE r.role = 'target'
      RETURN DISTINCT f.id AS id ORDER BY id } AS targets,
    e.value AS value, e.method AS method,
    COLLECT { MATCH (e)-[:REFUTES]->(x)
      RETURN coalesce(x.text, x.claim, x.id) AS text ORDER BY text } AS refutes,
    e.detail AS detail, e.id AS evidence
  UNION ALL
  MATCH (m:Model {weights: 'published'})<-[:IN_MODEL]-(:Layer)<-[:IN_LAYER]-(t:Feature)
  WHERE size($models) = 0 OR m.id IN $models
  MATCH (s:Feature)-[w:WEIGHT]->(t) WHERE w.flag IS NOT NULL
  RETURN 'flagged-kernel' AS kind, [s.id] AS sources, [t.id] AS targets, null AS value,
    null AS method, [] AS refutes, w.flag AS detail, null AS evidence
}
RETURN kind, sources, targets, value, method, refutes, detail, evidence
ORDER BY kind, targets, sources, evidence, detail
