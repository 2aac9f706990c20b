//! DNS queries.

use std::net::UdpSocket;

/// The IPv4 addresses a server has for a name, where it answers within the socket's time.
///
/// # Errors
/// That it does not.
///
/// # Panics
/// When a label is longer than a label may be.
pub fn ask(socket: &UdpSocket, server: (&str, u16), name: &str) -> std::io::Result<Vec<String>> {
    let label = |label: &str| {
        let length = u8::try_from(label.len()).expect("a short label");
        [&[length], label.as_bytes()].concat()
    };
    let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    question.extend(name.split('.').flat_map(label));
    question.extend([0, 0, 1, 0, 1]);
    socket.send_to(&question, server)?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    Ok(read(&answer[..length], question.len()))
}

/// The addresses of an answer: each record here is a pointer to the name, type, class, time, length, four bytes.
fn read(answer: &[u8], question: usize) -> Vec<String> {
    let count = usize::from(u16::from_be_bytes([answer[6], answer[7]]));
    let address = |record: &[u8]| {
        record[record.len() - 4..].iter().map(u8::to_string).collect::<Vec<_>>().join(".")
    };
    // A server may write the name out again.
    let name = question - 4 - 12;
    let rest = &answer[question..];
    let width = if rest.first().is_some_and(|byte| byte & 0xc0 == 0xc0) { 2 } else { name } + 14;
    rest.chunks(width).take(count).map(address).collect()
}
