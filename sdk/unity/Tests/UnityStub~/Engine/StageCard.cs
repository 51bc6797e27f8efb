// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using UnityEngine;
using UnityEngine.Networking;

namespace Segue.Rehearsal
{
    /// <summary>The sound card, and what UnityWebRequest finds.</summary>
    public sealed partial class Stage
    {
        public const int BufferLength = 512;

        private readonly Thread _card;
        private readonly int _channels;
        private volatile bool _stopped;
        private volatile int _rate;
        private volatile Voice[] _voices = Array.Empty<Voice>();

        /// <summary>Frames a second of the sound card.</summary>
        public int Rate
        {
            get => _rate;
            private set => _rate = value;
        }

        public int Buffers { get; set; } = 4;

        /// <summary>Times that a source was started.</summary>
        public int Plays { get; internal set; }

        /// <summary>What is behind an address that is no file; null from it: not found.</summary>
        public Func<string, byte[]> Web { get; set; } = _ => null;

        /// <summary>Addresses that were asked for.</summary>
        public List<string> Asked { get; } = new List<string>();

        /// <summary>Requests that were disposed of.</summary>
        public int Disposed { get; set; }

        /// <summary>Clips that were decoded.</summary>
        public List<AudioClip> Clips { get; } = new List<AudioClip>();

        /// <summary>Clips that nobody destroyed.</summary>
        public int ClipsAlive => Clips.Count(clip => !clip.IsDestroyed);

        public static int DeviceHandlers => AudioSettings.Handlers;

        public static float Loudest(AudioSource source) => source.Loudest;

        /// <summary>The last sample that was played.</summary>
        public static float Last(AudioSource source) => source.Last;

        public static int Callbacks(AudioSource source) => source.Callbacks;

        public static void Forget(AudioSource source) => source.Loudest = 0f;

        /// <summary>Another device: every source stops, and whoever wants to know is told.</summary>
        public void ChangeDevice(int rate)
        {
            Rate = rate;
            foreach (var voice in _voices) voice.Source.Sounds = false;
            AudioSettings.Change();
        }

        internal UnityWebRequestAsyncOperation Send(UnityWebRequest request)
        {
            if (request.WasSent) throw new InvalidOperationException("a request is sent once");
            request.WasSent = true;
            Asked.Add(request.url);
            int since = Frames;
            return new UnityWebRequestAsyncOperation
            {
                Done = () =>
                {
                    if (Frames < since + 2) return false;
                    if (request.result == UnityWebRequest.Result.InProgress) Answer(request);
                    return true;
                },
            };
        }

        private void Answer(UnityWebRequest request)
        {
            byte[] found = request.url.StartsWith("file:", StringComparison.Ordinal)
                ? File.Exists(new Uri(request.url).LocalPath) ? File.ReadAllBytes(new Uri(request.url).LocalPath) : null
                : Web(request.url);
            request.result = UnityWebRequest.Result.Success;
            if (found == null)
            {
                request.result = UnityWebRequest.Result.ProtocolError;
                request.error = "HTTP/1.1 404 Not Found";
                return;
            }
            request.downloadHandler.Bytes = found;
            if (!(request.downloadHandler is DownloadHandlerAudioClip audio)) return;
            audio.Clip = Decode(found);
            if (audio.Clip is null)
            {
                request.result = UnityWebRequest.Result.DataProcessingError;
                request.error = "unsupported file or audio format";
            }
        }

        /// <summary>A stand-in for every lossy format: 16-bit samples behind the header of a WAV file.</summary>
        private AudioClip Decode(byte[] file)
        {
            if (file.Length < 44 || file[0] != 'R') return null;
            var clip = new AudioClip { channels = BitConverter.ToInt16(file, 22), frequency = BitConverter.ToInt32(file, 24) };
            clip.Data = Enumerable.Range(0, (file.Length - 44) / 2).Select(i => BitConverter.ToInt16(file, 44 + 2 * i) / 32768f).ToArray();
            Clips.Add(clip);
            return clip;
        }

        /// <summary>Who is heard has changed.</summary>
        private void Cast() => _voices = _objects
            .Where(thing => thing.activeSelf)
            .Select(thing => new Voice(thing.GetComponent<AudioSource>(), thing.Components.OfType<MonoBehaviour>()
                .Where(one => one.isActiveAndEnabled && one.Actor?.Filter != null).Select(one => one.Actor.Filter).ToArray()))
            .Where(voice => !(voice.Source is null)).ToArray();

        private void PlayCard()
        {
            var buffer = new float[BufferLength * _channels];
            var watch = Stopwatch.StartNew();
            for (double played = 0; !_stopped;)
            {
                if (played > watch.Elapsed.TotalSeconds)
                {
                    Thread.Sleep(2);
                    continue;
                }
                played += BufferLength / (double)_rate;
                foreach (var voice in _voices)
                {
                    if (!voice.Source.Sounds) continue;
                    Array.Clear(buffer, 0, buffer.Length);
                    foreach (var filter in voice.Filters) Actor.Guard(() => filter(buffer, _channels));
                    float loudest = buffer.Max(value => Math.Abs(value));
                    if (loudest > voice.Source.Loudest) voice.Source.Loudest = loudest;
                    voice.Source.Last = buffer[buffer.Length - 1];
                    voice.Source.Callbacks++;
                }
            }
        }

        private sealed class Voice
        {
            public readonly AudioSource Source;
            public readonly Action<float[], int>[] Filters;

            public Voice(AudioSource source, Action<float[], int>[] filters)
            {
                Source = source;
                Filters = filters;
            }
        }
    }
}
