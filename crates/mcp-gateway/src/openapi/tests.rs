//! What a document becomes, and what a call of it becomes.

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::*;

fn pets() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "1"},
        "paths": {
            "/pets": {
                "get": {"operationId": "listPets", "summary": "All pets", "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 0, "exclusiveMinimum": true}},
                    {"$ref": "#/components/parameters/tags"}
                ]},
                "post": {"operationId": "addPet", "requestBody": {"required": true, "content": {
                    "application/xml": {}, "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}
                }}}
            },
            "/pets/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
                "get": {"operationId": "getPet"},
                "delete": {"operationId": "removePet", "deprecated": true, "parameters": [
                    {"name": "id", "in": "query", "schema": {"type": "string"}},
                    {"name": "X-Why", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "required": true, "schema": {"type": "string"}},
                    {"name": "theme", "in": "cookie", "schema": {"type": "string"}}
                ]}
            }
        },
        "components": {
            "parameters": {"tags": {"name": "tags", "in": "query", "explode": false, "schema": {"type": "array"}}},
            "schemas": {"Pet": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "nullable": true}, "mother": {"$ref": "#/components/schemas/Pet"}
            }}}
        }
    })
}

fn api() -> Api {
    Api::read(&pets()).unwrap()
}

fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

fn request(tool: &str, given: Value) -> Result<HttpRequest, ArgumentFault> {
    api().find(tool).unwrap().request(&Base::new("/v1"), &arguments(given))
}

fn path(tool: &str, given: Value) -> String {
    request(tool, given).unwrap().path.to_string()
}

/// An API of one `GET /x` with one parameter.
fn with_parameter(parameter: Value) -> Api {
    let way = if parameter["in"] == "path" { "/x/{p}" } else { "/x" };
    let paths = json!({way: {"get": {"operationId": "x", "parameters": [parameter]}}});
    Api::read(&json!({"openapi": "3.1.0", "paths": paths})).unwrap()
}

fn written(parameter: Value, value: Value) -> String {
    let api = with_parameter(parameter);
    let given = arguments(json!({"p": value}));
    api.operations[0].request(&Base::new(""), &given).unwrap().path.to_string()
}

#[test]
fn each_operation_is_a_tool_with_what_its_method_says_of_it() {
    let api = api();
    let names: Vec<&str> = api.operations.iter().map(|operation| &*operation.name).collect();
    assert_eq!(names, ["listPets", "addPet", "getPet", "removePet"]);
    let hints = |tool: &str| api.find(tool).unwrap().tool["annotations"].clone();
    assert_eq!(hints("listPets")["readOnlyHint"], true);
    assert_eq!(
        (&hints("removePet")["destructiveHint"], &hints("removePet")["idempotentHint"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(hints("addPet")["readOnlyHint"], false);
    assert_eq!(api.find("removePet").unwrap().tool["description"], "Deprecated. removePet");
}

#[test]
fn schemas_stand_alone_and_speak_json_schema() {
    let api = api();
    let add = &api.find("addPet").unwrap().tool["inputSchema"];
    assert_eq!(add["properties"]["body"]["$ref"], "#/$defs/Pet");
    assert_eq!(add["$defs"]["Pet"]["properties"]["mother"]["$ref"], "#/$defs/Pet");
    assert_eq!(add["$defs"]["Pet"]["properties"]["name"]["type"], json!(["string", "null"]));
    let limit = &api.find("listPets").unwrap().tool["inputSchema"]["properties"]["limit"];
    assert_eq!(limit, &json!({"type": "integer", "exclusiveMinimum": 0}));
}

#[test]
fn arguments_go_where_the_document_says() {
    assert_eq!(path("listPets", json!({"limit": 3, "tags": ["a,b", "c"]})), "/v1/pets?limit=3&tags=a%2Cb,c");
    let sent =
        request("removePet", json!({"id": "7", "id_query": "8&x=1", "X-Why": "old", "theme": "a; b=c"})).unwrap();
    assert_eq!((sent.method.as_str(), &*sent.path.to_string()), ("DELETE", "/v1/pets/7?id=8%26x%3D1"));
    assert_eq!(sent.headers["x-why"], "old");
    assert_eq!(sent.headers["cookie"], "theme=a%3B%20b%3Dc");
    let added = request("addPet", json!({"body": {"name": "Rex"}})).unwrap();
    assert_eq!(added.headers["content-type"], "application/json");
    assert_eq!(added.body.unwrap(), r#"{"name":"Rex"}"#);
}

#[test]
fn every_style_is_written_as_its_table_says() {
    let (list, object) = (json!(["blue", "black"]), json!({"B": "1", "R": "2"}));
    let query = |style: &str, explode: bool| json!({"name": "p", "in": "query", "style": style, "explode": explode});
    let path = |style: &str, explode: bool| json!({"name": "p", "in": "path", "style": style, "explode": explode});
    for (parameter, value, expected) in [
        (query("form", true), &list, "/x?p=blue&p=black"),
        (query("form", false), &object, "/x?p=B,1,R,2"),
        (query("form", true), &object, "/x?B=1&R=2"),
        (query("spaceDelimited", false), &list, "/x?p=blue%20black"),
        (query("pipeDelimited", false), &list, "/x?p=blue%7Cblack"),
        (query("deepObject", true), &object, "/x?p[B]=1&p[R]=2"),
        (path("simple", false), &list, "/x/blue,black"),
        (path("simple", true), &object, "/x/B=1,R=2"),
        (path("label", true), &list, "/x/.blue.black"),
        (path("matrix", false), &list, "/x/;p=blue,black"),
        (path("matrix", true), &list, "/x/;p=blue;p=black"),
        (path("matrix", true), &object, "/x/;B=1;R=2"),
    ] {
        assert_eq!(written(parameter, value.clone()), expected);
    }
    assert_eq!(
        written(json!({"name": "p", "in": "query", "content": {"application/json": {}}}), object),
        "/x?p=%7B%22B%22%3A%221%22%2C%22R%22%3A%222%22%7D"
    );
}

#[test]
fn nothing_escapes_its_place_in_the_path() {
    for value in ["../admin", "..", "a/b", "a%2fb", "a\\b", "a\r\nb", ""] {
        assert_eq!(request("getPet", json!({"id": value})).unwrap_err(), ArgumentFault::Place("id".into()), "{value}");
    }
    assert_eq!(path("getPet", json!({"id": "a?b#c"})), "/v1/pets/a%3Fb%23c");
    assert!(request("getPet", json!({"id": [".."]})).is_err());
}

#[test]
fn no_argument_breaks_a_header_or_sets_one_that_is_not_the_callers() {
    for value in ["a\r\nX-Admin: 1", "a\nb", "a\0", "\u{202e}"] {
        let refused = request("removePet", json!({"id": "7", "X-Why": value})).unwrap_err();
        assert_eq!(refused, ArgumentFault::Header("X-Why".into()));
    }
    let unknown = request("removePet", json!({"id": "7", "Authorization": "x"})).unwrap_err();
    assert_eq!(unknown, ArgumentFault::Unknown("Authorization".into()));
}

#[test]
fn what_is_missing_or_unknown_is_said() {
    assert_eq!(request("getPet", json!({})).unwrap_err(), ArgumentFault::Missing("id".into()));
    assert_eq!(request("getPet", json!({"id": null})).unwrap_err(), ArgumentFault::Missing("id".into()));
    assert_eq!(request("listPets", json!({"limits": 3})).unwrap_err(), ArgumentFault::Unknown("limits".into()));
    let nested = request("listPets", json!({"tags": [["a"]]})).unwrap_err();
    assert_eq!(nested, ArgumentFault::Nested("tags".into()));
}

#[test]
fn a_reference_out_of_the_document_is_never_followed() {
    let far = with_parameter(json!({"name": "p", "in": "query", "schema": {"$ref": "https://evil.example/s.json"}}));
    assert_eq!(far.operations[0].tool["inputSchema"]["properties"]["p"], json!({}));
    let body = json!({"content": {"application/json": {"schema": {"$ref": "file:///etc/passwd"}}}});
    let paths = json!({"/x": {"post": {"requestBody": body}}});
    let file = Api::read(&json!({"openapi": "3.1.0", "paths": paths})).unwrap();
    assert_eq!(file.operations[0].tool["inputSchema"]["properties"]["body"], json!({}));
}

#[test]
fn knots_and_bombs_cost_one_operation_and_not_the_document() {
    let mut document = pets();
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!({"items": deep});
    }
    document["components"]["schemas"]["Deep"] = deep;
    document["components"]["parameters"]["loop"] = json!({"$ref": "#/components/parameters/loop"});
    let deep = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Deep"}}}});
    document["paths"]["/deep"] = json!({"post": {"requestBody": deep}});
    document["paths"]["/loop"] = json!({"get": {"parameters": [{"$ref": "#/components/parameters/loop"}]}});
    document["paths"]["/a/../b"] = json!({"get": {}});
    let api = Api::read(&document).unwrap();
    let skipped: Vec<&str> = api.skipped.iter().map(|skipped| &*skipped.operation).collect();
    assert_eq!((api.operations.len(), skipped), (4, vec!["get /a/../b", "post /deep", "get /loop"]));
}

#[test]
fn a_wide_knot_of_definitions_is_bounded() {
    // Each schema refers to all others: 400 definitions of 400 references.
    let all: Map<String, Value> =
        (0..400).map(|n| (format!("p{n}"), json!({"$ref": format!("#/components/schemas/S{n}")}))).collect();
    let schemas: Map<String, Value> = (0..400).map(|n| (format!("S{n}"), json!({"properties": all}))).collect();
    let body = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}});
    let document = json!({"openapi": "3.1.0", "paths": {"/x": {"post": {"requestBody": body}}}, "components": {"schemas": schemas}});
    assert_eq!(Api::read(&document).unwrap_err().to_string().split(": ").last(), Some("its schemas are too large"));
}

#[test]
fn what_is_no_openapi_3_says_so() {
    for document in [json!({}), json!({"swagger": "2.0"}), json!({"openapi": "4.0.0"}), json!([]), Value::Null] {
        assert_eq!(Api::read(&document).unwrap_err(), ApiFault::Version);
    }
    assert_eq!(Api::read(&json!({"openapi": "3.1.0"})).unwrap_err(), ApiFault::NoPaths);
}

#[test]
fn forms_and_parts_are_written_as_such() {
    let with = |content_type: &str, value: Value| {
        let paths = json!({"/x": {"post": {"requestBody": {"content": {content_type: {}}}}}});
        let api = Api::read(&json!({"openapi": "3.1.0", "paths": paths})).unwrap();
        let sent = api.operations[0].request(&Base::new(""), &arguments(json!({"body": value}))).unwrap();
        let content_type = sent.headers["content-type"].to_str().unwrap().to_owned();
        (content_type, String::from_utf8(sent.body.unwrap().to_vec()).unwrap())
    };
    let form = with("application/x-www-form-urlencoded", json!({"a": "1&b=2", "c": [3, 4]}));
    assert_eq!(form.1, "a=1%26b%3D2&c=3&c=4");
    let (content_type, parts) = with("multipart/form-data", json!({"a": "gatehouse-part-0"}));
    assert_eq!(content_type, "multipart/form-data; boundary=gatehouse-part-1");
    assert!(parts.contains("name=\"a\"\r\n\r\ngatehouse-part-0\r\n--gatehouse-part-1--\r\n"));
    assert_eq!(with("application/octet-stream", json!("aGk=")).1, "hi");
    assert_eq!(with("text/plain", json!("hi")).1, "hi");
}

#[test]
fn an_answer_is_text_and_structure_or_an_error_to_act_on() {
    let answered = |status: u16, content_type: &'static str, body: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(content_type));
        result("t", StatusCode::from_u16(status).unwrap(), &headers, body, true)
    };
    let good = answered(200, "application/json; charset=utf-8", br#"{"a":1}"#);
    assert_eq!((&good["structuredContent"], &good["content"][0]["text"]), (&json!({"a": 1}), &json!(r#"{"a":1}"#)));
    let bad = answered(404, "text/plain", b"no such pet");
    assert_eq!(
        (&bad["isError"], &bad["content"][0]["text"]),
        (&json!(true), &json!("the API answered 404 Not Found\nno such pet"))
    );
    assert_eq!(answered(302, "text/html", b"")["isError"], true);
    assert_eq!(answered(204, "", b"")["content"][0]["text"], "done: 204 No Content");
    assert_eq!(answered(200, "image/png", b"\x89P")["content"][0]["type"], "image");
    assert_eq!(answered(200, "application/zip", b"\xff\xfe")["content"][0]["type"], "resource");
    assert_eq!(answered(200, "application/json", b"{broken")["content"][0]["text"], "{broken");
    assert_eq!(result("t", StatusCode::OK, &HeaderMap::new(), b"", false)["isError"], true);
}
