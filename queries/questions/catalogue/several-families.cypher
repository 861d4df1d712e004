// title = "Features that people file under more than one family"
// sentences = [
//   "features in several families",
//   "which features stand in more than one family?",
//   "which units have more than one label?",
//   "which features have several labels in {models}?",
//   "show features with multiple labels",
//   "which units are filed twice?",
// ]
// needs = [["several"], ["family", "labelled", "filed"]]
// words = ["filed", "role"]
// example = "which features stand in more than one family?"
// requires = ["labels"]
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [columns]
// feature = "id of the feature"
// model = "its model"
// layer = "its layer"
// families = "its labels"
// count = "how many"
MATCH (l:Label)<-[:USES]-(:Annotation {kind: 'label', state: 'live'})-[about:ANNOTATES]->(f:Feature)
WHERE about.role IS NULL AND (size($models) = 0 OR f.model IN $models)
WITH f, collect(DISTINCT l.text) AS said
WHERE size(said) > 1
MATCH (f)-[:IN_LAYER]->(y:Layer)
RETURN f.id AS feature, f.model AS model, f.layer AS layer,
  COLLECT { UNWIND said AS text RETURN text ORDER BY text } AS families, size(said) AS count
ORDER BY count DESC, model, y.position, f.unit, feature
