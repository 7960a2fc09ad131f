//! The description of the interface, in the terms of OpenAPI.

use serde_json::{Map, Value, json};

use super::operations::{OPERATIONS, Operation};

/// The document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tidegate admin",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the gateway does, and what it can be told. Requests that change something need \
                            Content-Type: application/json, or a field X-Tidegate.",
        },
        "security": [{}, { "token": [] }],
        "components": { "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
        "paths": paths,
    })
}

fn described(operation: &Operation) -> Value {
    let of_query = operation.query();
    let parameters = operation.parameters.iter().map(|parameter| {
        let is_query = of_query.contains(&parameter.name);
        json!({
            "name": parameter.name,
            "in": if is_query { "query" } else { "path" },
            "required": !is_query,
            "description": parameter.description,
            "schema": { "type": parameter.schema },
        })
    });
    let media = operation.media.split(';').next().unwrap_or_default();
    let answers = operation.answers.iter().map(|(status, meaning)| {
        (status.to_string(), json!({ "description": meaning, "content": { media: {} } }))
    });
    json!({
        "operationId": format!("{:?}", operation.action).to_ascii_lowercase(),
        "summary": operation.summary,
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": answers.collect::<Map<_, _>>(),
    })
}
