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
MATCH (l:Label)<-[:USES]-(:Annotation {kind: 'label', state: 'live'})
  -[about:ANNOTATES WHERE about.role IS NULL]->(f:Feature)
WHERE size($models) = 0 OR f.model IN $models
WITH DISTINCT f, l.text AS text ORDER BY text
WITH f, collect(text) AS families
WHERE size(families) > 1
MATCH (f)-[:IN_LAYER]->(y:Layer)
RETURN f.id AS feature, f.model AS model, f.layer AS layer, families, size(families) AS count
ORDER BY count DESC, model, y.position, f.unit, feature
