//! An nginx to compare with.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running nginx, with a worker for each core.
pub struct Nginx {
    process: Child,
    pub address: SocketAddr,
}

impl Nginx {
    /// Starts nginx in an empty folder; `None` if it isn't installed. `http`: what its block `http` contains besides paths,
    /// for the address that it listens on.
    pub fn start(folder: &Path, http: impl FnOnce(SocketAddr) -> String) -> Option<Self> {
        let address = free_address();
        // nginx's workers run as another user if it is started by root.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings = format!(
            "daemon off; worker_processes auto; pid {0}/nginx.pid; error_log stderr;
             events {{ worker_connections 2048; }}
             http {{ access_log off; keepalive_requests 100000000;
               client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi;
               uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
               {1} }}",
            folder.display(),
            http(address)
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-p").arg(folder).arg("-c").arg(&file);
        let process = command.stderr(Stdio::null()).spawn().ok()?;
        let nginx = Self { process, address };
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nginx doesn't listen");
            std::thread::yield_now();
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-QUIT", &id]).status().ok();
        self.process.wait().ok();
    }
}

/// Returns an address that nobody listens on.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
