use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::Sample;

/// A collector on loopback that takes one export, answers with the given status and hands over what it got.
async fn collector(status: u16) -> (String, JoinHandle<(String, ExportTraceServiceRequest)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (head, body) = read_request(&mut stream).await;
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        (head, ExportTraceServiceRequest::decode(&*body).unwrap())
    });
    (url, served)
}

async fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the exporter hung up");
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        let mut body = bytes.split_off(end + 4);
        let have = body.len();
        body.resize(length, 0);
        stream.read_exact(&mut body[have..]).await.unwrap();
        return (head, body);
    }
}

async fn export(call: CallOutcome) -> (String, ExportTraceServiceRequest) {
    let (url, served) = collector(200).await;
    let (mut consumer, _) = start(LogFormat::Off, io::sink(), &url);
    consumer.take(&[call]);
    consumer.close().await;
    served.await.unwrap()
}

fn spans(export: &ExportTraceServiceRequest) -> &[Span] {
    &export.resource_spans[0].scope_spans[0].spans
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let value = attributes.iter().find(|a| a.key == key).unwrap_or_else(|| panic!("no {key}"));
    match value.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_is_a_server_span_over_one_client_span_per_attempt() {
    let (head, export) = export(fallen_back()).await;
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("application/x-protobuf"), "{head}");
    let [server, first, second] = spans(&export) else { panic!("{export:?}") };
    assert_eq!((server.kind(), &*server.name), (SpanKind::Server, "openai_chat chat"));
    assert_eq!((first.kind(), &*first.name), (SpanKind::Client, "chat gpt-5-mini"));
    assert_eq!((second.kind(), &*second.name), (SpanKind::Client, "chat claude-haiku-4-5"));
    assert!(server.parent_span_id.is_empty());
    assert!([first, second].iter().all(|s| s.parent_span_id == server.span_id && s.trace_id == server.trace_id));
    assert_eq!(server.trace_id, call_id().0.as_bytes());
}

#[tokio::test]
async fn times_come_from_the_record() {
    let (_, export) = export(fallen_back()).await;
    let [server, first, _] = spans(&export) else { panic!("{export:?}") };
    assert_eq!(server.start_time_unix_nano, STARTED * 1_000_000);
    assert_eq!(server.end_time_unix_nano - server.start_time_unix_nano, 512_345_000);
    assert_eq!(first.start_time_unix_nano, (STARTED + 1) * 1_000_000);
}

#[tokio::test]
async fn attempts_carry_the_attributes_of_the_conventions() {
    let (_, export) = export(fallen_back()).await;
    let [server, first, second] = spans(&export) else { panic!("{export:?}") };
    assert_eq!(text(&second.attributes, "gen_ai.operation.name"), "chat");
    assert_eq!(text(&second.attributes, "gen_ai.provider.name"), "anthropic");
    assert_eq!(text(&second.attributes, "gen_ai.request.model"), "claude-haiku-4-5");
    assert_eq!(text(&second.attributes, "gen_ai.usage.input_tokens"), "120");
    assert_eq!(text(&second.attributes, "gen_ai.usage.cache_read.input_tokens"), "20");
    assert_eq!(text(&second.attributes, "gen_ai.usage.reasoning.output_tokens"), "11");
    assert_eq!(text(&second.attributes, "gatehouse.attempt"), "1");
    assert_eq!(text(&first.attributes, "error.type"), "failed");
    assert_eq!(first.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_eq!(text(&server.attributes, "gatehouse.key.id"), "key_7");
    let resource = export.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(text(&resource.attributes, "service.name"), "gatehouse");
}

#[tokio::test]
async fn the_callers_span_is_the_parent() {
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    let (_, export) = export(CallOutcome { traceparent, ..fallen_back() }).await;
    let server = &spans(&export)[0];
    assert_eq!(server.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!(server.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
}

#[tokio::test]
async fn a_trace_its_caller_does_not_record_is_not_sent() {
    let unsampled = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00".into());
    let (url, served) = collector(200).await;
    let (mut consumer, _) = start(LogFormat::Off, io::sink(), &url);
    consumer.take(&[CallOutcome { traceparent: unsampled, ..fallen_back() }, call(Vec::new())]);
    consumer.close().await;
    let (_, export) = served.await.unwrap();
    assert_eq!(spans(&export).len(), 1);
}

#[tokio::test]
async fn a_full_batch_leaves_at_once() {
    let (url, served) = collector(200).await;
    let (mut consumer, _) = start(LogFormat::Off, io::sink(), &url);
    consumer.take(&vec![call(Vec::new()); 513]);
    let (_, export) = served.await.unwrap();
    assert_eq!(spans(&export).len(), 512);
}

#[tokio::test]
async fn spans_a_collector_refuses_are_counted() {
    let (url, served) = collector(400).await;
    let (mut consumer, exposition) = start(LogFormat::Off, io::sink(), &url);
    consumer.take(&[fallen_back()]);
    consumer.close().await;
    served.await.unwrap();
    let text = exposition.render(&Sample::default());
    assert!(text.contains("gatehouse_telemetry_dropped_total{signal=\"span\"} 3\n"), "{text}");
}

#[tokio::test]
async fn a_collector_that_hangs_costs_spans_and_never_the_consumer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut consumer, exposition) =
        start(LogFormat::Off, io::sink(), &format!("http://{}", listener.local_addr().unwrap()));
    consumer.take(&vec![call(Vec::new()); 512 * 10]);
    let text = exposition.render(&Sample::default());
    assert!(text.contains("gatehouse_telemetry_dropped_total{signal=\"span\"} 1024\n"), "8 of 10 batches wait: {text}");
}

#[test]
fn an_endpoint_that_is_no_url_is_refused_at_start() {
    for otlp in ["not a url", "collector:4318", "ftp://collector", "http://"] {
        assert!(Consumer::start(settings(LogFormat::Off, io::sink(), otlp), vocabulary()).is_err(), "{otlp}");
    }
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let started = Consumer::start(settings(LogFormat::Off, io::sink(), "http://127.0.0.1:4318"), vocabulary());
    assert!(matches!(started, Err(crate::StartError::NoRuntime(_))));
}

#[tokio::test]
async fn every_attribute_is_on_the_telemetry_page() {
    let page = include_str!("../../../../docs/telemetry.md");
    let (_, export) = export(CallOutcome { fault: Some("upstream_broken"), ..fallen_back() }).await;
    for attribute in spans(&export).iter().flat_map(|span| &span.attributes) {
        assert!(page.contains(&format!("`{}`", attribute.key)), "docs/telemetry.md lacks {}", attribute.key);
    }
}
