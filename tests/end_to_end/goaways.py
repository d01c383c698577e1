"""What a DoH upstream that ends its connections in order may cost: nothing. Of tests over HTTP/2 and HTTP/3,
which say how a server and a gateway are had. RFC 9113 §6.8 and §8.7, RFC 9114 §5.2."""

from messages import NOERROR, query, read


class Goaways:
    """Beside EndToEndTest: `good`, `server(script)` and `gateway(folder, upstream, **table)` are the test's."""

    def ask_all(self, gateway, count, window=50):
        """Many at once over one connection; the answers by name."""
        answers = {}
        with gateway.connect("tcp") as flow:
            sent = 0
            while len(answers) < count:
                while sent < count and sent - len(answers) < window:
                    flow.send(query(f"n{sent}.example", number=sent))
                    sent += 1
                reply = read(flow.receive())
                answers[reply.number] = reply
        return answers

    def assert_goaways_lose_nothing(self, count, each):
        """Of `count` questions; every connection takes `each` of them. Gives the gateway's metrics."""

        def script(asked):
            return self.good(asked, goaway=asked.number == each)

        with self.server(script) as upstream:
            with self.gateway(self.folder, upstream, timeout="5s") as gateway:
                answers = self.ask_all(gateway, count)
                metrics = gateway.metrics()
        self.assertEqual({answer.rcode for answer in answers.values()}, {NOERROR})
        self.assertGreaterEqual(upstream.connections, count // each)
        return metrics
