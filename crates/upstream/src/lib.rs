//! Every outbound connection of the data plane: pools, TLS, timers, breakers and retry budgets; and children, who are
//! connections to a program. Knows nothing of what is carried.

mod alarm;
mod body;
pub mod child;
mod connect;
mod connection;
mod egress;
mod health;
mod pool;
mod sips;
mod stream;

pub use body::Body;
pub use connect::{Tls, tls_config};
pub use egress::{Egress, is_public};
pub use health::{BreakerState, Health, HealthTable, Verdict};
pub use pool::{Pool, PoolLimits, SendError, Sent};
