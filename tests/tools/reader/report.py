"""Where faults and counts are collected."""

PER_FILE_MAX = 10  # printed; all are counted


class Report:
    def __init__(self, listing=False):
        self.faults = []
        self.per_file = {}
        self.listing = listing
        self.counts = {"directories": 0, "partitions": 0, "segments": 0, "batches": 0, "records": 0, "undecoded": 0}

    def fault(self, path, text):
        self.faults.append((path, text))
        self.per_file[path] = self.per_file.get(path, 0) + 1
        if self.per_file[path] <= PER_FILE_MAX:
            print(f"{path}: {text[:500]}")

    def count(self, what, n=1):
        self.counts[what] += n

    def list(self, text):
        if self.listing:
            print(text)

    def summary(self):
        c = self.counts
        text = f"{c['partitions']} partitions, {c['segments']} segments, {c['batches']} batches, {c['records']} records"
        if c["undecoded"]:
            text += f" ({c['undecoded']} batches compressed with a codec that is not installed)"
        return f"{text}: {f'{len(self.faults)} faults' if self.faults else 'sound'}"
