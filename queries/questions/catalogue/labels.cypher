// title = "Features by label, and who says so"
// sentences = [
//   "features labelled {label}",
//   "which features are called {label}?",
//   "find all {label} detectors",
//   "show the {label} units in every model",
//   "where are the {label} neurons?",
//   "which units detect {label}?",
// ]
// needs = [["labelled", "called", "detect", "feature", "where"]]
// words = ["family", "filed", "layer"]
// example = "features labelled curves"
// requires = ["labels"]
// [parameters.label]
// type = "label"
// help = "part of the label, in any case"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.layers]
// type = "layers"
// default = []
// help = "layers to look in; none for all"
// [columns]
// label = "the label"
// feature = "id of the feature"
// model = "its model"
// layer = "its layer"
// said_by = "who gives the label"
MATCH (l:Label)<-[:USES]-(a:Annotation {kind: 'label', state: 'live'})
  -[about:ANNOTATES WHERE about.role IS NULL]->(f:Feature)
WHERE (toLower(l.text) CONTAINS toLower($label)
    OR toLower(coalesce(l.concept, '')) CONTAINS toLower($label)) AND (size($models) = 0 OR f.model IN $models)
  AND (size($layers) = 0 OR f.layer IN $layers)
MATCH (f)-[:IN_LAYER]->(y:Layer)
OPTIONAL MATCH (a)-[:BY]->(who:Annotator)
WITH l, f, y, who ORDER BY who.id
WITH l, f, y, collect(DISTINCT coalesce(who.name, who.id)) AS said_by
RETURN l.text AS label, f.id AS feature, f.model AS model, f.layer AS layer, said_by
ORDER BY label, model, y.position, f.unit, feature, l.id
