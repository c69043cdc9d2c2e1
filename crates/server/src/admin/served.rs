//! The operations of one path of the admin API. Path and methods stand next to each handler, in what `#[utoipa::path]` says of
//! it; they are served by that, and in the tests described by it, too.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::MethodRouter;
use utoipa::openapi::HttpMethod;
use utoipa_axum::PathItemExt as _;

use super::Admin;

/// One path, and the handlers of its methods.
pub(super) struct Served {
    pub(super) path: String,
    pub(super) methods: MethodRouter<Admin>,
    /// Adds what the handlers say of themselves to a document.
    #[cfg(test)]
    pub(super) describe: super::document::Describe,
}

impl Served {
    pub(super) fn on<H, T>(mut self, methods: &[HttpMethod], handler: H) -> Self
    where
        H: Handler<T, Admin>,
        T: 'static,
    {
        for method in methods {
            self.methods = self.methods.on(method.to_method_filter(), handler.clone());
        }
        self
    }

    /// Bodies of up to so many bytes.
    pub(super) fn up_to(mut self, bytes: usize) -> Self {
        self.methods = self.methods.layer(DefaultBodyLimit::max(bytes));
        self
    }
}

/// All of them.
pub(super) fn all(paths: Vec<Served>) -> Router<Admin> {
    paths.into_iter().fold(Router::new(), |all, served| all.route(&served.path, served.methods))
}

/// Handlers of one module and one path: `served!(keys: list, create)`.
macro_rules! served {
    ($($module:ident)::+: $($handler:ident),+) => { served!(@path [$($module)::+] $($handler)+) };
    (@path $module:tt $first:ident $($more:ident)*) => {{
        let served = $crate::admin::served::Served {
            path: served!(@said $module $first path()),
            methods: axum::routing::MethodRouter::new(),
            #[cfg(test)]
            describe: |document| document.routes(served!(@described $module [$first] $($more)*)),
        };
        let served = served.on(&served!(@said $module $first methods()), served!(@handler $module $first));
        $(let served = served.on(&served!(@said $module $more methods()), served!(@handler $module $more));)*
        served
    }};
    (@handler [$($module:tt)+] $handler:ident) => { $($module)+::$handler };
    (@said [$($module:tt)+] $handler:ident $what:ident()) => {
        utoipa_axum::paste! { <$($module)+::[<__path_ $handler>] as utoipa::Path>::$what() }
    };
    // Paths of handlers one after the other, as the library's own macro wants them.
    (@described [$($module:tt)+] [$($done:tt)+] $next:ident $($more:ident)*) => {
        served!(@described [$($module)+] [$($done)+, $next] $($more)*)
    };
    (@described [$($module:tt)+] [$one:ident]) => { utoipa_axum::routes!($($module)+::$one) };
    (@described [$($module:tt)+] [$one:ident, $two:ident]) => {
        utoipa_axum::routes!($($module)+::$one, $($module)+::$two)
    };
    (@described [$($module:tt)+] [$one:ident, $two:ident, $three:ident]) => {
        utoipa_axum::routes!($($module)+::$one, $($module)+::$two, $($module)+::$three)
    };
}
pub(super) use served;
