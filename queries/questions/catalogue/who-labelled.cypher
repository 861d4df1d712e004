// title = "Who annotated what: how much, of which kind, in which model"
// sentences = [
//   "who labelled what?",
//   "who are the annotators?",
//   "how much did each annotator label?",
//   "annotators of {models}",
//   "how many labels has each labeller given?",
//   "who annotated {models}?",
// ]
// needs = [["annotators", "annotator", "labeller", "labellers", "labelled"]]
// words = ["people", "model"]
// example = "who are the annotators?"
// requires = ["annotations"]
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [columns]
// annotator = "id of who annotates"
// type = "human, group, model or tool"
// model = "model whose features they are about"
// kind = "label, role, claim or comment"
// annotations = "how many live ones"
// features = "of how many features"
MATCH (w:Annotator)<-[:BY]-(a:Annotation {state: 'live'})-[:ANNOTATES]->(f:Feature)
WHERE size($models) = 0 OR f.model IN $models
WITH w.id AS annotator, w.type AS type, f.model AS model, a.kind AS kind,
  count(DISTINCT a.id) AS annotations, count(DISTINCT f.id) AS features
RETURN annotator, type, model, kind, annotations, features
ORDER BY annotations DESC, annotator, model, kind
