// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Segue.V1;

namespace Segue
{
    /// <summary>
    /// What a listener keeps so that the music can go on when its server is gone, or from a saved game: the continuation
    /// bytes of the last 20 s, some 12 KB, and the newest resume point. No I/O; any thread.
    /// </summary>
    public sealed class Keeper
    {
        private const long Kept = 20 * 48000;
        private readonly LinkedList<Piece> _pieces = new LinkedList<Piece>();
        private readonly object _lock = new object();
        private ResumePoint _point;
        private int _take;

        /// <summary>Whether there is a resume point to go on from.</summary>
        public bool IsReady
        {
            get { lock (_lock) return _point != null; }
        }

        /// <summary>A chunk has arrived; what it replaces is dropped.</summary>
        public void Chunk(AudioChunk chunk)
        {
            lock (_lock)
            {
                _take = Math.Max(_take, chunk.Take);
                if (chunk.Continuation.Length == 0) return;
                while (_pieces.Count > 0 && _pieces.Last.Value.Begin >= chunk.FirstSample) _pieces.RemoveLast();
                long end = chunk.FirstSample + chunk.SampleCount;
                _pieces.AddLast(new Piece { Begin = chunk.FirstSample, End = end, Data = chunk.Continuation });
                while (_pieces.First.Value.End < end - Kept) _pieces.RemoveFirst();
            }
        }

        /// <summary>A resume point has arrived.</summary>
        public void Point(ResumePoint point)
        {
            lock (_lock) _point = point;
        }

        /// <summary>
        /// How to go on at `nextSample`, or at the take that was about to come: with the session's token as the same
        /// session, without as another. Throws InvalidOperationException if there is no resume point.
        /// </summary>
        public ResumeRequest Resume(long nextSample, string sessionToken = "")
        {
            lock (_lock)
            {
                if (_point == null) throw new InvalidOperationException("there is no resume point: none has arrived yet");
                if (_point.Take > _take) nextSample = Math.Min(nextSample, _point.Sample);
                var request = new ResumeRequest { Token = _point.Token, FromSample = nextSample, SessionToken = sessionToken };
                foreach (var piece in _pieces)
                    if (piece.Begin < nextSample) request.Continuation.Add(piece.Data);
                return request;
            }
        }

        private struct Piece
        {
            public long Begin;
            public long End;
            public byte[] Data;
        }
    }
}
