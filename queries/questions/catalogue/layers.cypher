// title = "The layers of a model, with what is known of each"
// sentences = [
//   "layers of {models}",
//   "what layers does {models} have?",
//   "list the layers",
//   "which layers are there?",
//   "how many units has each layer of {models}?",
// ]
// needs = [["layer"]]
// words = ["model"]
// example = "layers of inceptionv1"
// [parameters.models]
// type = "models"
// default = []
// help = "models to look in; none for all"
// [columns]
// model = "the model"
// position = "place in the order of the network, from 0"
// layer = "name of the layer"
// channels = "its channels"
// circuits = "circuits that its features take part in"
// members = "its features that take part in one"
MATCH (y:Layer)
WHERE size($models) = 0 OR y.model IN $models
WITH y, COLLECT { MATCH (y)<-[:IN_LAYER]-(f:Feature)-[:MEMBER_OF]->(c:Circuit)
  RETURN DISTINCT [f.id, c.id] AS pair } AS pairs
WITH y, reduce(ids = [], pair IN pairs | CASE WHEN pair[0] IN ids THEN ids ELSE ids + [pair[0]] END)
    AS members,
  reduce(ids = [], pair IN pairs | CASE WHEN pair[1] IN ids THEN ids ELSE ids + [pair[1]] END)
    AS circuits
RETURN y.model AS model, y.position AS position, y.name AS layer, y.channels AS channels,
  size(circuits) AS circuits, size(members) AS members
ORDER BY model, position, layer
