//! What happens to a request once its head is read: a gateway's path goes down the data plane on this core; everything
//! else goes to the control plane's own runtime.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use bytes::Bytes;
use gatehouse_pipeline::{Arrived, Core, GateBody, Inbound, Shared, converse, pass};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tower::ServiceExt as _;

use crate::lookout::OpenCall;

/// The control plane as the data plane sees it: a router, and the runtime on which it runs.
#[derive(Clone)]
pub struct ControlPlane {
    /// Admin API, operations, registries.
    pub router: Router,
    /// Never a data-plane core's runtime: an operator's report must not slow a call down.
    pub runtime: Handle,
}

/// Who is at the other end of the connection. In the extensions of every request that comes to the control plane.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Which of the two planes a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Both: the usual single address.
    Both,
    /// Gateways and health only: the control plane has an address of its own (`admin_listen`).
    DataOnly,
}

/// One core's front: everything a connection needs.
pub(crate) struct Front {
    /// None on an address that serves the control plane only.
    pub(crate) core: Option<Arc<Core>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) control: ControlPlane,
    pub(crate) serves: Serves,
}

/// Where a request goes.
enum Way {
    /// To a gateway, as a call.
    Call(Arc<Core>, Box<Arrived>),
    /// To a gateway, as a conversation.
    Talk(Arc<Core>, Box<Arrived>),
    /// To the control plane.
    Control(Box<(ControlPlane, Peer, Request<Incoming>)>),
    /// Nowhere from here.
    Nowhere,
}

impl Front {
    /// Answers a request. Where it goes is found out before there is a future: a request is a quarter of a kilobyte, and each
    /// future that holds it by value copies it when it is made and when it begins.
    pub(crate) fn call(
        front: &Self,
        open: OpenCall,
        peer: Peer,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answering>, Infallible>> + use<> {
        let way = front.way(peer, request);
        async move {
            let answer = match way {
                // Boxed, so that its room is free again while the answer streams.
                Way::Call(core, arrived) => Box::pin(pass(core, arrived)).await,
                Way::Talk(core, arrived) => Box::pin(converse(core, arrived)).await,
                Way::Control(asked) => Box::pin(control(*asked)).await,
                Way::Nowhere => {
                    plain(StatusCode::NOT_FOUND, "no such path here; the admin API has an address of its own\n")
                }
            };
            Ok(answer.map(|body| Answering { body, _open: open }))
        }
    }

    fn way(&self, peer: Peer, request: Request<Incoming>) -> Way {
        if let Some(core) = &self.core {
            let snapshot = self.shared.snapshot.load_full();
            let arrived = |snapshot, lane, door, request: Request<Incoming>| {
                Box::new(Arrived { snapshot, lane, door, peer: peer.0, request: request.map(Inbound::from) })
            };
            if let Some((lane, door)) = snapshot.door(request.method(), request.uri().path()) {
                return Way::Call(Arc::clone(core), arrived(snapshot, lane, door, request));
            }
            if let Some((lane, door)) = snapshot.talk_door(request.method(), request.uri().path()) {
                return Way::Talk(Arc::clone(core), arrived(snapshot, lane, door, request));
            }
        }
        let path = request.uri().path();
        let for_callers = matches!(path, "/healthz" | "/readyz") || crate::oauth::is_public(path);
        if self.serves == Serves::DataOnly && !for_callers {
            return Way::Nowhere;
        }
        Way::Control(Box::new((self.control.clone(), peer, request)))
    }
}

/// An answer's body, which keeps its call open until it is handed over.
pub(crate) struct Answering {
    body: GateBody,
    _open: OpenCall,
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

async fn control((plane, peer, request): (ControlPlane, Peer, Request<Incoming>)) -> Response<GateBody> {
    let ControlPlane { router, runtime } = plane;
    let mut request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(peer);
    let answered = runtime.spawn(async move { router.oneshot(request).await }).await;
    match answered {
        Ok(Ok(response)) => response.map(|body| GateBody::other(Ended(body).boxed_unsync())),
        Ok(Err(never)) => match never {},
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed on this request; its log says why\n"),
    }
}

/// An axum body whose error ends it: the head is long gone when one comes, and the framing tells the client.
struct Ended(axum::body::Body);

impl http_body::Body for Ended {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(context).map(|frame| frame.and_then(Result::ok).map(Ok))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<GateBody> {
    let mut response = Response::new(GateBody::text(text));
    *response.status_mut() = status;
    response
}
