//! The Docker API as this backend uses it: a few requests over one Unix socket.
//!
//! There is no TCP, no TLS and no registry here. A connection is made for each request, so a
//! Docker that was stopped and started again is found again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use bollard::Docker as Api;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{ContainerCreateBody, ContainerInspectResponse, SystemInfo};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder,
};
use futures_util::Stream;
use tokio::io::AsyncWrite;
use tokio::sync::OnceCell;

use super::error::{ContainerError, said};

/// Where Docker listens unless somebody says otherwise.
pub const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// What Docker may take for one request, in seconds: starting a container on a loaded machine.
const REQUEST_S: u64 = 60;

/// The same for building images: mmdebstrap loads and unpacks for minutes.
const BUILD_REQUEST_S: u64 = 3_600;

/// What Docker tells of the output.
pub(crate) type Output =
    Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

/// The way in.
pub(crate) type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A Docker that may or may not be there.
#[derive(Debug)]
pub(crate) struct Docker {
    socket: PathBuf,
    request_s: u64,
    /// The version that both speak, once they have agreed on it.
    agreed: OnceCell<Api>,
}

impl Docker {
    pub(crate) fn at(socket: PathBuf) -> Self {
        Self {
            socket,
            request_s: REQUEST_S,
            agreed: OnceCell::new(),
        }
    }

    /// One that waits as long as building an image takes.
    pub(crate) fn patient(socket: PathBuf) -> Self {
        Self {
            request_s: BUILD_REQUEST_S,
            ..Self::at(socket)
        }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Docker itself, the first time with agreeing on a version.
    pub(crate) async fn api(&self) -> Result<&Api, ContainerError> {
        let gone = |error| self.gone(&error);
        self.agreed
            .get_or_try_init(|| async {
                let path = self.socket.to_string_lossy();
                let api =
                    Api::connect_with_unix(&path, self.request_s, bollard::API_DEFAULT_VERSION);
                api.map_err(gone)?.negotiate_version().await.map_err(gone)
            })
            .await
    }

    pub(crate) async fn info(&self) -> Result<SystemInfo, ContainerError> {
        let api = self.api().await?;
        api.info().await.map_err(|error| self.gone(&error))
    }

    pub(crate) async fn create(&self, body: ContainerCreateBody) -> Result<String, ContainerError> {
        let api = self.api().await?;
        let made = api.create_container(None::<CreateContainerOptions>, body);
        match made.await {
            Ok(made) => Ok(made.id),
            Err(error @ bollard::errors::Error::HyperLegacyError { .. }) => Err(self.gone(&error)),
            Err(error) => Err(ContainerError::step("making a container")(error)),
        }
    }

    pub(crate) async fn inspect(
        &self,
        id: &str,
    ) -> Result<ContainerInspectResponse, ContainerError> {
        let api = self.api().await?;
        let seen = api.inspect_container(id, None);
        seen.await
            .map_err(ContainerError::step("looking at a container"))
    }

    pub(crate) async fn attach(&self, id: &str) -> Result<(Output, Input), ContainerError> {
        let options = AttachContainerOptionsBuilder::default()
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .stream(true)
            .build();
        let attached = self.api().await?.attach_container(id, Some(options));
        let AttachContainerResults { output, input } = attached
            .await
            .map_err(ContainerError::step("attaching to a container"))?;
        Ok((output, input))
    }

    pub(crate) async fn start(&self, id: &str) -> Result<(), ContainerError> {
        let started = self.api().await?.start_container(id, None);
        started
            .await
            .map_err(ContainerError::step("starting a container"))
    }

    /// Kill and remove it with everything that is its own. One that is gone already is no error.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), ContainerError> {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let removed = self.api().await?.remove_container(id, Some(options));
        match removed.await {
            Ok(())
            | Err(bollard::errors::Error::DockerResponseServerError {
                // 404: it is gone; 409: somebody removes it now.
                status_code: 404 | 409,
                ..
            }) => Ok(()),
            Err(error) => Err(ContainerError::step("removing a container")(error)),
        }
    }

    /// The ids of all containers with this label, running or not, with all of their labels.
    pub(crate) async fn labelled(
        &self,
        label: &str,
        value: &str,
    ) -> Result<Vec<(String, HashMap<String, String>)>, ContainerError> {
        let filters = HashMap::from([("label", vec![format!("{label}={value}")])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let listed = self.api().await?.list_containers(Some(options));
        let listed = listed
            .await
            .map_err(ContainerError::step("listing containers"))?;
        let named = listed.into_iter();
        Ok(named
            .filter_map(|one| Some((one.id?, one.labels.unwrap_or_default())))
            .collect())
    }

    /// The digest of the image of this name, if there is one.
    pub(crate) async fn image_id(&self, name: &str) -> Result<Option<String>, ContainerError> {
        match self.api().await?.inspect_image(name).await {
            Ok(image) => Ok(image.id),
            Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(ContainerError::step("looking for an image")(error)),
        }
    }

    /// Whether Docker still has the image of runtime `name`.
    pub(crate) async fn has_image(&self, name: &str, image: &str) -> Result<(), ContainerError> {
        match self.image_id(image).await? {
            Some(_) => Ok(()),
            None => Err(ContainerError::NoImage(name.to_owned())),
        }
    }

    fn gone(&self, error: &bollard::errors::Error) -> ContainerError {
        ContainerError::Docker {
            socket: self.socket.display().to_string(),
            said: said(error),
        }
    }
}
