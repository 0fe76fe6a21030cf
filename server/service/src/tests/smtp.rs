//! A mail server for tests. It implements just enough SMTP (RFC 5321) to accept a mail and pass it to the test.

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// An accepted mail.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) to: String,
    /// The headers and the body, as received.
    pub(super) text: String,
}

/// Listens on loopback. Returns the URL of the server and the mails that it accepts. `refuses`: whether it refuses all.
pub(super) async fn listen(refuses: bool) -> (String, mpsc::UnboundedReceiver<Mail>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, sender.clone(), refuses));
        }
    });
    (url, receiver)
}

async fn serve(stream: TcpStream, sender: mpsc::UnboundedSender<Mail>, refuses: bool) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await?;
    let mut to = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.to_uppercase().as_str() {
            text if text.starts_with("EHLO") => b"250-test\r\n250 8BITMIME\r\n",
            text if text.starts_with("RCPT") && refuses => b"450 come back later\r\n",
            text if text.starts_with("RCPT") => {
                to = line.trim().trim_start_matches("RCPT TO:<").trim_end_matches('>').to_owned();
                b"250 ok\r\n"
            }
            text if text.starts_with("DATA") => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await?;
                    if line == ".\r\n" {
                        break;
                    }
                    mail.push_str(&line);
                }
                sender.send(Mail { to: to.clone(), text: mail }).ok();
                b"250 taken\r\n"
            }
            text if text.starts_with("QUIT") => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).await?;
    }
}
