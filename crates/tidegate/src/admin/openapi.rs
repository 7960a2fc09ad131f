//! The description of the interface, in the terms of OpenAPI.

use serde_json::{Map, Value, json};

use super::operations::{JSON, OPERATIONS, Operation};

/// What the guard answers in place of any operation.
const MISDIRECTED: (u16, &str) = (421, "Asked by a host name that is not in admin_names.");
/// The same, where a token is asked for.
const NO_TOKEN: (u16, &str) = (401, "There is a token, and it was not shown: Authorization: Bearer TOKEN.");

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
    let own = operation.answers.iter().map(|answer| response(answer, media));
    let guard = [Some(&MISDIRECTED), (!operation.is_open()).then_some(&NO_TOKEN)];
    let responses: Map<_, _> =
        own.chain(guard.into_iter().flatten().map(|answer| response(answer, JSON))).collect();
    let mut described = json!({
        "operationId": format!("{:?}", operation.action).to_ascii_lowercase(),
        "summary": operation.summary,
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": responses,
    });
    if operation.is_open() {
        described["security"] = json!([]);
    }
    described
}

fn response((status, meaning): &(u16, &str), media: &str) -> (String, Value) {
    (status.to_string(), json!({ "description": meaning, "content": { media: {} } }))
}
