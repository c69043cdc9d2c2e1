//! Every outbound connection of the data plane: pools, TLS, timers, breakers and retry budgets; and children, who are
//! connections to a program. Knows nothing of what is carried.

mod body;
pub mod child;
mod connect;
mod egress;
mod health;
mod http1;
mod pool;

pub use body::Body;
pub use connect::{Tls, tls_config};
pub use egress::{Egress, is_public};
pub use health::{BreakerState, Health, HealthTable, Verdict};
pub use pool::{Pool, PoolLimits, SendError, Sent};
