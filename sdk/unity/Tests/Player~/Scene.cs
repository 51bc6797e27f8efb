// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;
using Segue.Rehearsal;
using Segue.V1;
using UnityEngine;
using UnityEngine.Events;

namespace Segue.Tests
{
    /// <summary>A stage with players on it, and the real server that $SEGUE_SERVER names.</summary>
    internal sealed class Scene : IDisposable
    {
        private readonly SegueClient _client = new SegueClient(new Uri(Address));

        public Scene(int rate = 48000, int channels = 2) => Stage = new Stage(rate, channels);

        /// <summary>The server's; skips the test if there is none.</summary>
        public static string Address
        {
            get
            {
                string server = Environment.GetEnvironmentVariable("SEGUE_SERVER");
                if (string.IsNullOrEmpty(server)) Check.Skip("$SEGUE_SERVER names no server");
                return server.Split(' ')[0];
            }
        }

        public Stage Stage { get; }

        /// <summary>As a game makes one by code.</summary>
        public SoundtrackPlayer Player(string address = null, Action<SoundtrackPlayer> set = null)
        {
            var thing = new GameObject("Soundtrack");
            thing.AddComponent<AudioSource>();
            var player = thing.AddComponent<SoundtrackPlayer>();
            player.Connection = SegueConnectionSettings.At(address ?? Address);
            player.Soundtrack = "dungeon";
            set?.Invoke(player);
            return player;
        }

        public static AudioSource Source(SoundtrackPlayer player) => player.GetComponent<AudioSource>();

        /// <summary>A player of which a while was heard.</summary>
        public SoundtrackPlayer Playing(string address = null, Action<SoundtrackPlayer> set = null, long samples = 12000)
        {
            var player = Player(address, set);
            player.Play();
            Heard(player, samples);
            return player;
        }

        /// <summary>Frames until so many more samples were heard.</summary>
        public void Heard(SoundtrackPlayer player, long samples)
        {
            long begin = Math.Max(0, player.Heard);
            Stage.Until(() => player.Heard > begin + samples, samples + " samples are heard; " + player.State);
        }

        /// <summary>The log, without what the server has to say of its soundtrack every time.</summary>
        public List<string> Log => Stage.Log.Where(line => !line.Contains("war-drums.flac") && !line.Contains("the model fake")).ToList();

        public bool HasLogged(string kind, string part) => Logged(kind, part) > 0;

        public int Logged(string kind, string part) => Log.Count(line => line.StartsWith(kind, StringComparison.Ordinal) && line.Contains(part));

        /// <summary>Nothing but what was expected.</summary>
        public void LogIsClean() => Check.Equal("", string.Join(" | ", Log), "the log");

        /// <summary>The server's answer, while frames go on.</summary>
        public T Wait<T>(Task<T> answer)
        {
            Stage.Until(() => answer.IsCompleted, "an answer");
            return answer.GetAwaiter().GetResult();
        }

        public Session Session(SoundtrackPlayer player) => Wait(player.Session.GetAsync());

        public double Parameter(SoundtrackPlayer player, string name) => Session(player).Parameters.Single(value => value.Name == name).Value;

        /// <summary>A parameter is set to a value, or on its way to it: it moves at its own speed.</summary>
        public void Becomes(SoundtrackPlayer player, string name, double value) =>
            Stage.Until(() => Math.Abs(Parameter(player, name) - value) < 1e-6, name + " becomes " + value);

        public int FreeSlots() => Wait(_client.InfoAsync()).FreeSlots;

        /// <summary>A session that somebody else has created: its id and token, and how to let go of it.</summary>
        public SoundtrackSession Foreign()
        {
            var session = _client.Create(new SessionOptions { Soundtrack = "dungeon" });
            session.Start();
            Wait(session.GetAsync());
            return session;
        }

        /// <summary>A UnityEvent as the inspector has it.</summary>
        public static T Inspector<T>(SoundtrackPlayer player, string name)
            where T : UnityEventBase =>
            (T)typeof(SoundtrackPlayer).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic).GetValue(player);

        /// <summary>Set what nobody can from outside.</summary>
        public static void Field<T>(SoundtrackPlayer player, string name, T value) =>
            typeof(SoundtrackPlayer).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic).SetValue(player, value);

        /// <summary>What Unity calls.</summary>
        public static Action Call(SoundtrackPlayer player, string name) =>
            (Action)Delegate.CreateDelegate(typeof(Action), player, typeof(SoundtrackPlayer).GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic));

        /// <summary>Whatever a test has begun is freed before the next one.</summary>
        public void Dispose()
        {
            Stage.Quit();
            Stage.Dispose();
            _client.Dispose();
            Check.Equal(0, Stage.DeviceHandlers, "handlers of the device that are left");
        }
    }
}
