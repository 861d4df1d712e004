// title = "Features that prefer lines of an orientation"
// sentences = [
//   "features that prefer lines at {orientation}",
//   "which features are oriented at {orientation}?",
//   "detectors of lines at {orientation} in {models}",
//   "which units in {layers} prefer {orientation}?",
//   "features with orientation {orientation}",
// ]
// needs = [["{angle}"], ["prefer", "orientation", "detect", "lines"]]
// words = ["facing", "answer", "line", "near", "feature", "line", "lines", "bar", "bars", "grating", "gratings", "stripes", "contours", "weight"]
// example = "which features prefer lines at 45 degrees?"
// requires = ["observations"]
// [parameters.orientation]
// type = "angle"
// help = "degrees of the lines: 0 horizontal, 45 rising to the right"
// [parameters.tolerance]
// type = "integer"
// default = 15
// cues = ["within"]
// help = "degrees that it may be off"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [parameters.layers]
// type = "layers"
// default = []
// help = "layers to look in; none for all"
// # Only what passed its nulls has an orientation; the evidence that says so stands beside it.
// # To be at least 0, as all of them are, is asked of the index; IS NOT NULL of every feature.
// [columns]
// feature = "id of the feature"
// model = "its model"
// layer = "its layer"
// orientation = "degrees of the lines it prefers"
// selectivity = "0 (none) to 1 (one orientation alone)"
// off = "degrees from what was asked for, round the half circle"
// labels = "what people and measures call it"
MATCH (f:Feature)-[:IN_LAYER]->(y:Layer)
WHERE f.orientation >= 0
  AND 90 - abs(90 - abs(f.orientation - $orientation)) <= $tolerance
  AND (size($models) = 0 OR f.model IN $models) AND (size($layers) = 0 OR f.layer IN $layers)
WITH f, y, 90 - abs(90 - abs(f.orientation - $orientation)) AS off,
  [(f)<-[about:ANNOTATES]-(:Annotation {kind: 'label', state: 'live'})-[:USES]->(l:Label)
    WHERE about.role IS NULL | l.text] AS said
RETURN f.id AS feature, f.model AS model, f.layer AS layer, f.orientation AS orientation,
  f.orientation_selectivity AS selectivity, off,
  CASE size(said) > 1 WHEN true
    THEN COLLECT { UNWIND said AS text RETURN DISTINCT text ORDER BY text } ELSE said END AS labels
ORDER BY [model, y.position, off, f.unit, feature]
