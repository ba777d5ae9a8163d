use proptest::prelude::*;

use super::super::numbered::WINDOW;
use super::*;

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

/// A page whose connection breaks at any place.
#[derive(Default)]
struct Page {
    /// What was sent and not confirmed, with the number of the first.
    kept: Vec<String>,
    first: usize,
    sent: usize,
    expected: usize,
    received: Vec<String>,
    awaits_continue: bool,
    has_closed: Option<Close>,
}

impl Page {
    fn frame(&mut self, frame: Frame) {
        match frame {
            Frame::Open | Frame::Heartbeat => {}
            Frame::Close(close) => self.has_closed = Some(close),
            Frame::Messages(packets) => packets.iter().for_each(|packet| self.packet(packet)),
        }
    }

    fn packet(&mut self, packet: &str) {
        if let Some(number) = packet.strip_prefix("CONTINUE ") {
            assert!(self.awaits_continue);
            self.awaits_continue = false;
            self.confirm(number);
            self.sent = self.first;
        } else if let Some(number) = packet.strip_prefix("ACK ") {
            self.confirm(number);
        } else {
            let (number, text) = packet.split_once('#').unwrap();
            let number = usize::from_str_radix(number, 16).unwrap();
            assert!(number <= self.expected, "message {} is missing", self.expected);
            if number == self.expected {
                self.expected += 1;
                self.received.push(text.to_owned());
            }
        }
    }

    fn confirm(&mut self, number: &str) {
        let number = usize::from_str_radix(number, 16).unwrap();
        self.kept.drain(..number - self.first);
        self.first = number;
        self.sent = self.sent.max(number);
    }

    /// The packets that wait to be sent.
    fn packets(&mut self) -> Vec<String> {
        if self.awaits_continue {
            return Vec::new();
        }
        let unsent = self.kept[self.sent - self.first..].iter().zip(self.sent..);
        let packets = unsent
            .map(|(text, number)| format!("{number:X}#{text}"))
            .collect();
        self.sent = self.first + self.kept.len();
        packets
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// The process says so many things.
    Process(u8),
    /// The page does.
    Page(u8),
    /// The process reads so many.
    Read(u8),
    /// The page receives one frame, or it is lost on the way with the connection.
    Receive { is_lost: bool },
    /// An answer ends, as it should.
    Reopen,
    /// The page's messages are sent; of these the first so many arrive before the connection breaks.
    Send { arrive: Option<u8> },
    /// The page confirms.
    Confirm,
    /// An answer is lost, and the browser sends the request again by itself.
    Again,
    /// The connection breaks.
    Break,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u8..5).prop_map(Step::Process),
        4 => (1_u8..20).prop_map(Step::Page),
        4 => (1_u8..9).prop_map(Step::Read),
        6 => prop::bool::weighted(0.2).prop_map(|is_lost| Step::Receive { is_lost }),
        2 => Just(Step::Reopen),
        4 => prop::option::weighted(0.2, 0_u8..6).prop_map(|arrive| Step::Send { arrive }),
        2 => Just(Step::Confirm),
        1 => Just(Step::Again),
        1 => Just(Step::Break),
    ]
}

/// A talk with a page at one end and a process at the other.
struct World {
    talk: Talk,
    page: Page,
    at: Option<(Ticket, Receiver)>,
    said: (Vec<String>, Vec<String>),
    process: Vec<String>,
    has_heard: bool,
}

impl World {
    fn new() -> Self {
        Self {
            talk: Talk::new(true),
            page: Page::default(),
            at: None,
            said: Default::default(),
            process: Vec::new(),
            has_heard: false,
        }
    }

    fn attached(&mut self) -> (Ticket, Receiver) {
        if let Some(at) = self.at {
            return at;
        }
        // A page that has heard nothing begins again, as when it falls back to the next protocol.
        let ticket = self.talk.attach(self.has_heard).unwrap();
        let receiver = self.talk.begin(ticket, "").unwrap();
        assert_eq!(self.talk.next(ticket, receiver), Next::Frame(Frame::Open));
        if self.has_heard {
            self.page.awaits_continue = true;
            let packet = format!("CONTINUE {:X}", self.page.expected);
            self.talk.deliver(ticket, packet).unwrap();
        }
        self.at = Some((ticket, receiver));
        (ticket, receiver)
    }

    fn broken(&mut self) {
        if let Some((ticket, receiver)) = self.at.take() {
            self.talk.end(ticket, receiver, false);
            assert!(!self.talk.is_attached() && !self.talk.has_left());
            assert!(self.talk.deliver(ticket, "0#late".to_owned()).is_err());
            let Next::Frame(Frame::Close(close)) = self.talk.next(ticket, receiver) else {
                panic!("what is replaced gets nothing more")
            };
            assert_eq!(close.code, 4600);
        }
    }

    fn receive(&mut self, is_lost: bool) -> bool {
        let (ticket, receiver) = self.attached();
        let Next::Frame(frame) = self.talk.next(ticket, receiver) else {
            return false;
        };
        if is_lost {
            self.broken();
        } else {
            self.has_heard = true;
            self.page.frame(frame);
        }
        true
    }

    fn send(&mut self, arrive: Option<u8>) {
        let (ticket, _) = self.attached();
        for (number, packet) in self.page.packets().into_iter().enumerate() {
            if arrive.is_some_and(|arrive| number >= usize::from(arrive)) {
                break;
            }
            self.has_heard = true;
            self.talk.deliver(ticket, packet).unwrap();
        }
        if arrive.is_some() {
            self.has_heard = true;
            self.broken();
        }
    }

    fn read(&mut self, count: u8) {
        for _ in 0..count {
            if let Some(Message::Text(text)) = self.talk.take() {
                self.process.push(text);
            }
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Process(count) => {
                for _ in 0..count {
                    let said = format!("p{}", self.said.0.len());
                    self.talk.push(text(&said));
                    self.said.0.push(said);
                }
            }
            Step::Page(count) => {
                for _ in 0..count {
                    let said = format!("v{}", self.said.1.len());
                    self.page.kept.push(said.clone());
                    self.said.1.push(said);
                }
            }
            Step::Read(count) => self.read(count),
            Step::Receive { is_lost } => drop(self.receive(is_lost)),
            Step::Reopen => {
                let (ticket, receiver) = self.attached();
                self.talk.end(ticket, receiver, true);
                assert!(self.talk.is_attached() && !self.talk.has_receiver());
                self.at = Some((ticket, self.talk.begin(ticket, "").unwrap()));
            }
            Step::Send { arrive } => self.send(arrive),
            Step::Confirm => {
                let (ticket, _) = self.attached();
                if !self.page.awaits_continue {
                    let packet = format!("ACK {:X}", self.page.expected);
                    self.talk.deliver(ticket, packet).unwrap();
                    // Once it has confirmed, it does not begin anew.
                    self.has_heard |= self.page.expected > 0;
                }
            }
            Step::Again => {
                let (ticket, receiver) = self.attached();
                self.talk.end(ticket, receiver, true);
                let receiver = self.talk.begin(ticket, "mark").unwrap();
                drop(self.talk.next(ticket, receiver));
                self.talk.end(ticket, receiver, true);
                let again = self.talk.begin(ticket, "mark");
                assert!(
                    again.is_err() && !self.talk.is_attached(),
                    "what may be lost is found out"
                );
                self.at = None;
            }
            Step::Break => {
                // Until something was heard it may begin from the beginning.
                self.broken();
            }
        }
    }
}

proptest! {
    /// Proves: PR2 (L, P)
    #[test]
    fn wherever_it_breaks_every_message_comes_once_and_in_order(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.talk.finish(Close::new(1000, "done"));
        // What the process had not read it will not; everything it said before its end is told.
        loop {
            world.send(None);
            if !world.receive(false) || world.page.has_closed.is_some() {
                break;
            }
        }
        prop_assert_eq!(&world.page.received, &world.said.0);
        prop_assert_eq!(world.page.has_closed, Some(Close::new(1000, "done")));
        prop_assert!(world.said.1.starts_with(&world.process));
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn the_process_gets_all_that_the_page_says(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        while world.page.awaits_continue || world.at.is_none() {
            world.receive(false);
        }
        world.send(None);
        world.read(u8::MAX);
        while world.process.len() < world.said.1.len() {
            let before = world.process.len();
            world.read(u8::MAX);
            prop_assert!(world.process.len() > before, "{} of {}", before, world.said.1.len());
        }
        prop_assert_eq!(&world.process, &world.said.1);
    }
}

/// Proves: PR2 (L, P)
#[test]
fn a_plain_session_that_breaks_is_over() {
    let mut talk = Talk::new(false);
    let ticket = talk.attach(false).unwrap();
    assert_eq!(talk.attach(false).unwrap_err().code, 1002);
    let receiver = talk.begin(ticket, "").unwrap();
    assert_eq!(talk.begin(ticket, "").unwrap_err().code, 2010);
    assert_eq!(talk.next(ticket, receiver), Next::Frame(Frame::Open));
    assert_eq!(talk.next(ticket, receiver), Next::Wait);
    talk.push(text("a"));
    talk.push(text("b"));
    let both = Frame::Messages(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(talk.next(ticket, receiver), Next::Frame(both));
    talk.end(ticket, receiver, true);
    assert!(!talk.has_left());
    talk.deliver(ticket, "#not a packet".to_owned()).unwrap();
    assert_eq!(talk.take(), Some(text("#not a packet")));
    talk.finish(Close::new(4503, "gone"));
    talk.finish(Close::new(1000, "later"));
    for _ in 0..2 {
        let receiver = talk.begin(ticket, "").unwrap();
        let close = Close::new(4503, "gone");
        assert_eq!(talk.next(ticket, receiver), Next::Frame(Frame::Close(close)));
        talk.end(ticket, receiver, true);
    }
    let receiver = talk.begin(ticket, "").unwrap();
    talk.end(ticket, receiver, false);
    assert!(talk.has_left());
    assert_eq!(talk.begin(ticket, "").unwrap_err().code, 1002);
}

/// Proves: PR2 (L, P)
#[test]
fn a_request_that_a_browser_sends_twice_doubles_nothing() {
    let mut talk = Talk::new(false);
    let ticket = talk.attach(false).unwrap();
    for mark in ["", "", "a", "b", "a"] {
        talk.open(ticket, mark).unwrap();
    }
    assert_eq!(talk.open(ticket, "a").unwrap_err().code, 1002);
    assert!(talk.has_left());
    let mut talk = Talk::new(true);
    let ticket = talk.attach(false).unwrap();
    for _ in 0..2 {
        talk.open(ticket, "a").unwrap();
        talk.deliver(ticket, "0#x".to_owned()).unwrap();
    }
    assert_eq!(talk.take(), Some(text("x")));
    assert_eq!(talk.take(), None);
}

/// Proves: PR2 (L, P)
#[test]
fn neither_side_fills_the_memory() {
    for is_numbered in [false, true] {
        let mut talk = Talk::new(is_numbered);
        let ticket = talk.attach(false).unwrap();
        let mut said = 0;
        while talk.has_room() {
            talk.push(text(&"x".repeat(1000)));
            said += 1000;
        }
        assert!(said <= WINDOW + 1000);
        let (mut number, mut said) = (0, 0);
        while talk.inbox_has_room() {
            let mark = if is_numbered {
                format!("{number:X}#")
            } else {
                String::new()
            };
            talk.deliver(ticket, format!("{mark}{}", "y".repeat(1000)))
                .unwrap();
            (number, said) = (number + 1, said + 1000);
        }
        assert!(said <= INBOX + 1004);
        talk.take().unwrap();
        assert!(talk.inbox_has_room());
        let receiver = talk.begin(ticket, "").unwrap();
        talk.next(ticket, receiver);
        let Next::Frame(Frame::Messages(batch)) = talk.next(ticket, receiver) else {
            panic!("messages")
        };
        assert!(batch.iter().map(String::len).sum::<usize>() <= BATCH + 1010);
    }
}

/// Proves: PR2 (L, P)
#[test]
fn nonsense_and_a_goodbye_end_it() {
    let mut talk = Talk::new(true);
    let ticket = talk.attach(false).unwrap();
    assert_eq!(talk.deliver(ticket, "x".to_owned()).unwrap_err().code, 4704);
    assert!(talk.has_left() && talk.over().is_some());
    let mut talk = Talk::new(true);
    let ticket = talk.attach(false).unwrap();
    assert_eq!(talk.deliver(ticket, "5#x".to_owned()).unwrap_err().code, 4600);
    assert!(
        !talk.has_left() && !talk.is_attached(),
        "what is missing may come again"
    );
    let mut talk = Talk::new(true);
    let ticket = talk.attach(false).unwrap();
    talk.deliver(ticket, "0#x".to_owned()).unwrap();
    assert_eq!(
        talk.attach(false).unwrap_err().code,
        4705,
        "something has come already"
    );
    let again = talk.attach(true).unwrap();
    assert!(
        talk.deliver(ticket, "1#y".to_owned()).is_err(),
        "another carries it"
    );
    talk.deliver(again, "BYE".to_owned()).unwrap();
    assert!(talk.has_left());
    let mut talk = Talk::new(false);
    talk.attach(false).unwrap();
    talk.push(Message::Binary(vec![0]));
    assert_eq!(talk.over().unwrap().code, 1003);
}

/// Proves: PR2 (L, P)
#[test]
fn messages_that_say_nothing_fill_the_memory_as_little() {
    for is_numbered in [false, true] {
        let mut talk = Talk::new(is_numbered);
        let ticket = talk.attach(false).unwrap();
        let (mut pushed, mut sent) = (0, 0);
        while talk.has_room() && pushed < WINDOW {
            talk.push(text(""));
            pushed += 1;
        }
        assert!(pushed < WINDOW / 32);
        while talk.inbox_has_room() && sent < INBOX {
            let packet = if is_numbered {
                format!("{sent:X}#")
            } else {
                String::new()
            };
            talk.deliver(ticket, packet).unwrap();
            sent += 1;
        }
        assert!(sent < INBOX / 32);
        while talk.take().is_some() {}
        assert!(talk.inbox_has_room());
    }
}
