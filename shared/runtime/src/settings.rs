//! Where settings come from: packed with the function, overridden by an SSM parameter.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_core::Settings;
use portcullis_core::settings::{Known, Mode};
use tokio::sync::Mutex;

use crate::environment::Environment;
use crate::error::{AwsError, Failure};
use crate::metrics;

/// How long settings are used before the parameter is read again.
pub const LIFETIME: Duration = Duration::from_mins(5);

/// The settings of one process.
pub struct Source {
    ssm: aws_sdk_ssm::Client,
    parameter: Option<String>,
    mode: Mode,
    own: Known,
    /// The packed ones as they are written; a parameter changes what it names of them.
    base: Settings,
    packed: Arc<Settings>,
    lifetime: Duration,
    current: Mutex<Option<(Arc<Settings>, Instant)>>,
}

impl Source {
    /// Reads the packed settings; they must be right, or the function can't start.
    pub fn new(
        ssm: aws_sdk_ssm::Client,
        environment: &Environment,
        packed: &str,
        own: Known,
        lifetime: Duration,
    ) -> Result<Self, Failure> {
        let mode = environment.mode;
        let base = Settings::from_yaml(packed, &own)?;
        let packed = Arc::new(bounded(base.clone(), mode));
        let parameter = environment.settings_parameter.clone();
        let current = Mutex::new(None);
        Ok(Self {
            ssm,
            parameter,
            mode,
            own,
            base,
            packed,
            lifetime,
            current,
        })
    }

    /// The settings in force. The first time, a parameter that can't be used is an error to retry: nobody knows then what is
    /// exempt. Later the last good ones stay, loudly.
    pub async fn current(&self) -> Result<Arc<Settings>, Failure> {
        let Some(parameter) = &self.parameter else {
            return Ok(Arc::clone(&self.packed));
        };
        let mut current = self.current.lock().await;
        let last = match &*current {
            Some((settings, read_at)) if read_at.elapsed() < self.lifetime => return Ok(Arc::clone(settings)),
            last => last.as_ref().map(|(settings, _)| Arc::clone(settings)),
        };
        let settings = match (self.fetch(parameter).await, last) {
            (Ok(settings), _) => Arc::new(settings),
            (Err(failure), None) => {
                metrics::settings_unusable();
                return Err(failure);
            }
            (Err(failure), Some(last)) => {
                tracing::error!(parameter, error = %failure, "the settings can't be used: the last good ones stay");
                metrics::settings_unusable();
                last
            }
        };
        *current = Some((Arc::clone(&settings), Instant::now()));
        Ok(settings)
    }

    /// Reads the parameter again, whatever is at hand: whether it can be used now.
    pub async fn proven(&self) -> Result<(), Failure> {
        match &self.parameter {
            Some(parameter) => self.fetch(parameter).await.map(drop),
            None => Ok(()),
        }
    }

    async fn fetch(&self, parameter: &str) -> Result<Settings, Failure> {
        let answer = self
            .ssm
            .get_parameter()
            .name(parameter)
            .with_decryption(true)
            .send()
            .await;
        let answer = answer.map_err(|error| Failure::SettingsUnread(AwsError::new("GetParameter", &error)))?;
        let yaml = answer
            .parameter
            .and_then(|parameter| parameter.value)
            .unwrap_or_default();
        Ok(bounded(self.base.overridden_by(&yaml, &self.own)?, self.mode))
    }
}

/// The settings in a stack of this mode, whose role may be one that can't change anything.
fn bounded(mut settings: Settings, mode: Mode) -> Settings {
    settings.mode = settings.mode.min(mode);
    settings
}
