// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.V1;

namespace Segue
{
    /// <summary>What a mark tells of.</summary>
    public enum MarkKind
    {
        /// <summary>Something in the music.</summary>
        Event,

        /// <summary>A later take has replaced what was generated.</summary>
        Take,

        /// <summary>The stream has run dry.</summary>
        Underrun,

        /// <summary>The connection stands otherwise, or another session begins.</summary>
        Connection,
    }

    /// <summary>Something that happened at one moment.</summary>
    public readonly struct SessionMark
    {
        /// <param name="time">Seconds of the reader's clock.</param>
        public SessionMark(double time, MarkKind kind, string text)
        {
            Time = time;
            Kind = kind;
            Text = text;
        }

        /// <summary>Seconds of the reader's clock.</summary>
        public double Time { get; }

        /// <summary>What it tells of.</summary>
        public MarkKind Kind { get; }

        /// <summary>What happened, in words.</summary>
        public string Text { get; }
    }

    /// <summary>
    /// The last while of a session, for graphs: readings at a fixed rate, states, marks. Memory is bounded. One thread at a time.
    /// </summary>
    public sealed class SessionHistory
    {
        /// <summary>Readings a second.</summary>
        public const int Hertz = 20;

        private const int MostMarks = 1024;
        private double _next = double.NegativeInfinity;
        private float _adherence = float.NaN;
        private int _underruns;
        private ConnectionState _connection;
        private bool _begins = true;

        /// <param name="seconds">How far back readings go, at least 1.</param>
        public SessionHistory(double seconds = 60.0)
        {
            if (!(seconds >= 1.0)) throw new ArgumentOutOfRangeException(nameof(seconds), "expected at least 1");
            Seconds = seconds;
            Readings = new Recent<SessionReading>((int)Math.Ceiling(seconds * Hertz));
        }

        /// <summary>How far back readings go.</summary>
        public double Seconds { get; }

        /// <summary>Readings, the oldest first.</summary>
        public Recent<SessionReading> Readings { get; }

        /// <summary>What happened, the oldest first.</summary>
        public Recent<SessionMark> Marks { get; } = new Recent<SessionMark>(MostMarks);

        /// <summary>States and transitions, the oldest first.</summary>
        public StateLane States { get; } = new StateLane();

        /// <summary>Whether it is time for another reading.</summary>
        public bool IsDue(double time) => time >= _next;

        /// <summary>Another session begins: its counters begin at zero.</summary>
        public void Begin(double time, string what)
        {
            _adherence = float.NaN;
            _underruns = 0;
            _begins = true;
            States.Begin(time);
            Marks.Add(new SessionMark(time, MarkKind.Connection, what));
        }

        /// <summary>Take a reading in. Underruns and the connection's changes become marks.</summary>
        public void Add(SessionReading reading)
        {
            // From the rate's own beat, so that a late call does not make the next ones late; unless it was very late.
            double period = 1.0 / Hertz;
            _next = reading.Time - _next < period ? _next + period : reading.Time + period;
            if (float.IsNaN(reading.Adherence)) reading.Adherence = _adherence;
            if (reading.Underruns > _underruns)
                Marks.Add(new SessionMark(reading.Time, MarkKind.Underrun, "underrun " + reading.Underruns));
            _underruns = reading.Underruns;
            if (_begins || reading.Connection != _connection)
                Marks.Add(new SessionMark(reading.Time, MarkKind.Connection, reading.Connection.ToString().ToLowerInvariant()));
            _begins = false;
            _connection = reading.Connection;
            States.Suppose(reading.Time, reading.MusicState ?? "");
            Readings.Add(reading);
        }

        /// <summary>An event was heard.</summary>
        public void Add(double time, Event heard)
        {
            if (heard.Adherence != null)
            {
                _adherence = heard.Adherence.Similarity;
                return;
            }
            States.Heard(time, heard);
            // Beats are too many to be read.
            if (heard.Beat != null || heard.Bar != null) return;
            Marks.Add(new SessionMark(time, heard.Rewound != null ? MarkKind.Take : MarkKind.Event, EventText.Of(heard)));
        }

        /// <summary>Keep nothing.</summary>
        public void Clear()
        {
            Readings.Clear();
            Marks.Clear();
            States.Clear();
            _next = double.NegativeInfinity;
            _adherence = float.NaN;
            _underruns = 0;
            _begins = true;
        }
    }
}
