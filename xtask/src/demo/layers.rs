//! The layers that a receipt says were in force, in few words.

use serde_json::Value;

/// One word for each layer, in the receipt's own order and names.
///
/// The receipt's `layers` is an object with a field for each layer; a layer
/// that is null or false was not in force.
pub(super) fn in_force(receipt: &Value) -> Vec<String> {
    let Some(layers) = receipt.get("layers") else {
        return Vec::new();
    };
    match layers {
        Value::Object(layers) => layers
            .iter()
            .filter(|(_, state)| !matches!(state, Value::Null | Value::Bool(false)))
            .map(|(name, _)| name.clone())
            .collect(),
        Value::Array(layers) => layers.iter().filter_map(name_of).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn name_of(layer: &Value) -> Option<String> {
    let name = layer.as_str().or_else(|| layer.get("layer")?.as_str());
    name.or_else(|| layer.get("name")?.as_str())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_layer_that_was_not_in_force_does_not_count() {
        let receipt = json!({"layers": {"landlock": {"abi": 6}, "seccomp": null, "rlimits": true}});
        assert_eq!(in_force(&receipt), ["landlock", "rlimits"]);
    }

    #[test]
    fn a_receipt_without_layers_has_none() {
        assert!(in_force(&json!({})).is_empty());
        assert!(in_force(&json!({"layers": "all"})).is_empty());
    }
}
