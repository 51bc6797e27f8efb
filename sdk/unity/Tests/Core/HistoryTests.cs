// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using Segue.V1;

namespace Segue.Tests
{
    /// <summary>What the profiler remembers of a session.</summary>
    [TestFixture]
    public sealed class HistoryTests
    {
        [Test]
        public void TheLastSoManyAreKept()
        {
            var recent = new Recent<int>(3);
            var all = new List<int>();
            for (int i = 0; i < 10; i++)
            {
                recent.Add(i);
                all.Add(i);
                var expected = all.Skip(Math.Max(0, all.Count - 3)).ToList();
                Check.That(expected.SequenceEqual(Enumerable.Range(0, recent.Count).Select(at => recent[at])), "after " + i);
            }
            Check.Throws<IndexOutOfRangeException>(() => recent[3].ToString());
            Check.Throws<IndexOutOfRangeException>(() => recent[-1].ToString());
            recent.Clear();
            Check.Equal(0, recent.Count);
            Check.Throws<ArgumentOutOfRangeException>(() => new Recent<int>(0));
        }

        [Test]
        public void ReadingsAreTakenTwentyTimesASecond()
        {
            var history = new SessionHistory(5);
            for (double time = 10; time < 20; time += 0.013)
                if (history.IsDue(time)) history.Add(Reading(time));
            Check.Equal(100, history.Readings.Count, "five seconds");
            Check.Near(5, history.Readings[99].Time - history.Readings[0].Time, 0.1, "though the calls are not in step");
            history.Add(Reading(30));
            Check.That(!history.IsDue(30.01) && history.IsDue(30.06), "after a pause there is nothing to catch up with");
        }

        [Test]
        public void CountersAndTheConnectionBecomeMarks()
        {
            var history = new SessionHistory();
            history.Begin(0, "session");
            history.Add(Reading(0.1, underruns: 0, connection: ConnectionState.Connecting));
            history.Add(Reading(0.2, underruns: 0, connection: ConnectionState.Playing));
            history.Add(Reading(0.3, underruns: 2, connection: ConnectionState.Playing));
            history.Add(Reading(0.4, underruns: 2, connection: ConnectionState.Playing));
            history.Begin(1, "session");
            history.Add(Reading(1.1, underruns: 1, connection: ConnectionState.Playing));
            Check.Equal("session connecting playing underrun 2 session underrun 1 playing", string.Join(" ", Marks(history).Select(mark => mark.Text)));
            Check.Equal(2, Marks(history).Count(mark => mark.Kind == MarkKind.Underrun));
        }

        [Test]
        public void StatesAndTransitionsAreStretches()
        {
            var history = new SessionHistory();
            history.Begin(0, "session");
            history.Add(Reading(1, state: "explore"));
            history.Add(2, new Event { TransitionStarted = new TransitionStarted { FromState = "explore", ToState = "combat", LengthSamples = 96000 } });
            history.Add(2, new Event { StateChanged = new StateChanged { FromState = "explore", ToState = "combat" } });
            history.Add(Reading(2.5, state: "explore"));
            Check.Equal("combat", history.States.Current, "what was heard wins over what is told");
            history.Add(3, new Event { TransitionStarted = new TransitionStarted { FromState = "combat", ToState = "boss", LengthSamples = 480000 } });
            history.Add(5, new Event { TransitionCancelled = new TransitionCancelled { ToState = "boss", Reason = "cut" } });
            Check.Equal("explore 1-2, combat 2-∞", Lane(history.States.States));
            Check.Equal("combat 2-3, boss 3-5", Lane(history.States.Transitions), "a second one cuts the first");
            history.Begin(9, "session");
            Check.Equal("", history.States.Current);
            history.Add(Reading(9.5, state: "calm"));
            Check.Equal("explore 1-2, combat 2-9, calm 9.5-∞", Lane(history.States.States));
        }

        [Test]
        public void AdherenceIsOfTheLastEvent()
        {
            var history = new SessionHistory();
            history.Add(Reading(0));
            Check.That(float.IsNaN(history.Readings[0].Adherence), "before there is one");
            history.Add(0.1, new Event { Adherence = new Adherence { Similarity = 0.75f } });
            history.Add(Reading(0.2));
            Check.Near(0.75, history.Readings[1].Adherence, 0);
            Check.That(Marks(history).All(mark => mark.Kind == MarkKind.Connection), "it is a graph, no mark");
        }

        [Test]
        public void EventsAreToldInWords()
        {
            var history = new SessionHistory();
            history.Add(1, new Event { Take = 4, Sample = 48000, Rewound = new Rewound { ReplacedUntilSample = 72000 } });
            history.Add(1, new Event { Beat = new Beat() });
            history.Add(1, new Event { StingerStarted = new StingerStarted { Name = "hit" } });
            Check.Equal("take 4 replaces 0.5 s|stinger hit", string.Join("|", Marks(history).Select(mark => mark.Text)), "no beats");
            Check.Equal(MarkKind.Take, history.Marks[0].Kind);
            foreach (var heard in new[]
            {
                new Event { StateChanged = new StateChanged() }, new Event { TransitionStarted = new TransitionStarted { Via = "dread" } },
                new Event { TransitionFinished = new TransitionFinished() }, new Event { TransitionCancelled = new TransitionCancelled() },
                new Event { Beat = new Beat() }, new Event { Bar = new Bar() }, new Event { StingerStarted = new StingerStarted() },
                new Event { StingerFinished = new StingerFinished() }, new Event { Rewound = new Rewound() }, new Event { Refreshed = new Refreshed() },
                new Event { StatusChanged = new StatusChanged() }, new Event { Adherence = new Adherence() },
                new Event { ParameterChanged = new ParameterChanged { Name = "danger" } },
            })
                Check.That(EventText.Of(heard).Length > 3 && !EventText.Of(heard).Contains("later version"), heard.WhichDetail.ToString());
            Check.Equal("an event of a later version", EventText.Of(new Event()));
        }

        [Test]
        public void MemoryIsBounded()
        {
            var history = new SessionHistory(1);
            for (int i = 0; i < 5000; i++)
            {
                history.Add(Reading(i));
                history.Add(i, new Event { StateChanged = new StateChanged { ToState = "s" + i } });
            }
            Check.Equal(20, history.Readings.Count);
            Check.Equal(1024, history.Marks.Count);
            Check.Equal(256, history.States.States.Count);
        }

        [Test]
        public void TheCsvHasARowForEverything()
        {
            var history = new SessionHistory();
            history.Begin(100, "session s, \"one\"");
            history.Add(Reading(100.5, underruns: 1, connection: ConnectionState.Playing, state: "explore"));
            history.Add(100.6, new Event { Adherence = new Adherence { Similarity = 0.5f } });
            history.Add(Reading(101, underruns: 1, connection: ConnectionState.Playing, state: "=1+1"));
            history.Add(102, new Event { StingerStarted = new StingerStarted { Name = "hit" } });
            string[] rows = HistoryCsv.Write(history).TrimEnd('\n').Split('\n');
            Check.Equal(HistoryCsv.Header, rows[0]);
            Check.Equal("0,connection,,,,,,,,,\"session s, \"\"one\"\"\"", rows[1]);
            Check.Equal("0.5,underrun,,,,,,,,,underrun 1", rows[2]);
            Check.Equal("0.5,connection,,,,,,,,,playing", rows[3]);
            Check.Equal("0.5,reading,250,12.5,-300,,1,3,playing,explore,", rows[4]);
            Check.Equal("1,reading,250,12.5,-300,0.5,1,3,playing,'=1+1,", rows[5]);
            Check.Equal("2,event,,,,,,,,,stinger hit", rows[6]);
            foreach (string row in rows.Skip(2)) Check.Equal(11, row.Split(',').Length, row);
            Check.Equal(HistoryCsv.Header + "\n", HistoryCsv.Write(new SessionHistory()));
        }

        [Test]
        public void ASessionThatHasNotBegunCanBeRead()
        {
            using (var client = new SegueClient(new Uri("http://localhost:1")))
            using (var session = client.Create(new SessionOptions { Soundtrack = "walk" }))
            {
                var reading = SessionReading.Of(session, 3);
                Check.Equal(ConnectionState.Idle, reading.Connection);
                Check.Equal(0f, reading.BufferMs + reading.RoundTripMs + reading.RatePpm);
                Check.That(float.IsNaN(reading.Adherence), "adherence");
                session.Mixer.Render(new float[960], 480, 2, 48000);
                Check.Near(0, SessionReading.Of(session, 3).RatePpm, 0, "as it was made");
            }
        }

        private static SessionReading Reading(
            double time, int underruns = 0, ConnectionState connection = ConnectionState.Idle, string state = "") => new SessionReading
        {
            Time = time,
            BufferMs = 250,
            RoundTripMs = 12.5f,
            RatePpm = -300,
            Adherence = float.NaN,
            Underruns = underruns,
            LateTakes = 3,
            Connection = connection,
            MusicState = state,
        };

        private static IEnumerable<SessionMark> Marks(SessionHistory history) =>
            Enumerable.Range(0, history.Marks.Count).Select(at => history.Marks[at]);

        private static string Lane(Recent<StateStretch> lane) => string.Join(", ", Enumerable.Range(0, lane.Count).Select(at =>
            lane[at].State + FormattableString.Invariant($" {lane[at].Begin}-") + (double.IsInfinity(lane[at].End) ? "∞" : FormattableString.Invariant($"{lane[at].End}"))));
    }
}
